# SPDX-License-Identifier: Apache-2.0
whiteowl_module(flow SOURCES meter.cpp LINK base packet tcp)
