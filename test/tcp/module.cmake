# SPDX-License-Identifier: Apache-2.0
whiteowl_test(tcp SOURCES vectors_test.cpp meter_test.cpp)

add_executable(tcp_vectors_tool tcp/tcp_vectors_tool.cpp)
target_link_libraries(tcp_vectors_tool PRIVATE whiteowl_tcp)
