# SPDX-License-Identifier: Apache-2.0
whiteowl_module(packet SOURCES decode.cpp link.cpp tunnel.cpp fragment_cache.cpp tcp_options.cpp LINK base)
