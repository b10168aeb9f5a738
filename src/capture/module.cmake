# SPDX-License-Identifier: Apache-2.0
whiteowl_module(capture SOURCES file_source.cpp filter.cpp ring_source.cpp LINK base packet PRIVATE_LINK PkgConfig::PCAP)
