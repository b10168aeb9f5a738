# SPDX-License-Identifier: Apache-2.0
whiteowl_test(tcp SOURCES vectors_test.cpp meter_test.cpp seq_num_test.cpp syn_cache_test.cpp rtt_test.cpp loss_test.cpp window_test.cpp handshake_test.cpp)

add_executable(tcp_vectors_tool tcp/tcp_vectors_tool.cpp)
target_link_libraries(tcp_vectors_tool PRIVATE whiteowl_tcp)
