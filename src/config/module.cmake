# SPDX-License-Identifier: Apache-2.0
whiteowl_module(config SOURCES load.cpp LINK base capture flow ipfix exporter PRIVATE_LINK yaml-cpp cxxopts::cxxopts)
