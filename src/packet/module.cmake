# SPDX-License-Identifier: Apache-2.0
whiteowl_module(packet SOURCES decode.cpp tcp_options.cpp LINK base)
