# SPDX-License-Identifier: Apache-2.0
whiteowl_module(exporter SOURCES exporter.cpp LINK base flow ipfix PRIVATE_LINK spdlog::spdlog)
