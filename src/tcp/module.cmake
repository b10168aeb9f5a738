# SPDX-License-Identifier: Apache-2.0
whiteowl_module(tcp SOURCES meter.cpp LINK base packet)
