# SPDX-License-Identifier: Apache-2.0
whiteowl_test(capture SOURCES fanout_test.cpp file_source_test.cpp filter_test.cpp interfaces_test.cpp kept_rings_test.cpp loaded_program_test.cpp octet_input_test.cpp ring_source_test.cpp steering_test.cpp
  time_scale_test.cpp LINK Threads::Threads PkgConfig::LIBBPF)
