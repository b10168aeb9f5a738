# SPDX-License-Identifier: Apache-2.0
whiteowl_test(ipfix SOURCES elements_test.cpp mapping_test.cpp template_test.cpp message_test.cpp statistics_test.cpp)
# g++ 12 sees an uninitialised value inside std::regex when sanitizers are on.
set_source_files_properties(ipfix/mapping_test.cpp PROPERTIES COMPILE_OPTIONS
                            "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>")
