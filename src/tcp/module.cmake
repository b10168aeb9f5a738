# SPDX-License-Identifier: Apache-2.0
whiteowl_module(tcp
  SOURCES meter.cpp segment.cpp duplicate.cpp syn_cache.cpp handshake.cpp tcp_state.cpp rtt.cpp loss.cpp window.cpp
    extended.cpp hole.cpp repeat.cpp acknowledgment.cpp rtt_estimate.cpp window_figures.cpp response.cpp
    header_marks.cpp quality.cpp seed.cpp common_segment.cpp
  LINK base packet)
