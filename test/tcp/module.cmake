# SPDX-License-Identifier: Apache-2.0
whiteowl_test(tcp SOURCES vectors_test.cpp meter_test.cpp common_segment_test.cpp seq_num_test.cpp syn_cache_test.cpp rtt_test.cpp loss_test.cpp window_test.cpp handshake_test.cpp
  extended_test.cpp hole_test.cpp repeat_test.cpp acknowledgment_test.cpp rtt_estimate_test.cpp window_figures_test.cpp
  response_test.cpp header_marks_test.cpp quality_test.cpp seed_test.cpp)

add_executable(tcp_vectors_tool tcp/tcp_vectors_tool.cpp)
target_link_libraries(tcp_vectors_tool PRIVATE whiteowl_tcp)
