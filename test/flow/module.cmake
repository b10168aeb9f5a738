# SPDX-License-Identifier: Apache-2.0
whiteowl_test(flow SOURCES key_test.cpp table_test.cpp expiry_test.cpp eviction_test.cpp meter_test.cpp meter_property_test.cpp
  tcp_records_test.cpp)

add_executable(allocation_test flow/allocation_test.cpp)
target_link_libraries(allocation_test PRIVATE whiteowl_test_main whiteowl_flow)
add_test(NAME allocation COMMAND allocation_test)
