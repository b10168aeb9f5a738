# SPDX-License-Identifier: Apache-2.0
whiteowl_module(capture SOURCES fanout.cpp file_source.cpp filter.cpp interfaces.cpp kept_rings.cpp link_type.cpp loaded_program.cpp octet_input.cpp pcap_format.cpp pcapng_format.cpp
  ring_source.cpp steering.cpp time_scale.cpp LINK base packet PRIVATE_LINK PkgConfig::PCAP PkgConfig::LIBBPF)
