# SPDX-License-Identifier: Apache-2.0
whiteowl_module(ipfix SOURCES elements.cpp mapping.cpp message.cpp statistics.cpp template.cpp LINK base packet tcp flow)
