# SPDX-License-Identifier: Apache-2.0
whiteowl_test(ipfix SOURCES elements_test.cpp mapping_test.cpp template_test.cpp message_test.cpp statistics_test.cpp)
