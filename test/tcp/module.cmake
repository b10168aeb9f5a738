# SPDX-License-Identifier: Apache-2.0
whiteowl_test(tcp SOURCES vectors_test.cpp)
