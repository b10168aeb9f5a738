# SPDX-License-Identifier: Apache-2.0
whiteowl_module(ipfix SOURCES elements.cpp LINK base packet tcp flow)
