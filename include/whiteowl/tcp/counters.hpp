// SPDX-License-Identifier: Apache-2.0

// What TCP metering counts beside the records.
#pragma once

#include "whiteowl/base/counter.hpp"

namespace whiteowl {

struct TcpCounters {  // written by the worker, readable by any thread
  Counter syn_cache_inserts, syn_cache_hits, syn_cache_misses, syn_cache_expired, syn_cache_evicted;
  Counter invalid_segments;   // outside the window, ignored
  Counter duplicate_packets;  // the same packet captured twice
};

}  // namespace whiteowl
