# SPDX-License-Identifier: Apache-2.0
whiteowl_test(capture SOURCES file_source_test.cpp filter_test.cpp interfaces_test.cpp kept_rings_test.cpp octet_input_test.cpp ring_source_test.cpp
  time_scale_test.cpp LINK Threads::Threads)
