# SPDX-License-Identifier: Apache-2.0
whiteowl_test(flow SOURCES key_test.cpp table_test.cpp expiry_test.cpp meter_test.cpp meter_property_test.cpp)
