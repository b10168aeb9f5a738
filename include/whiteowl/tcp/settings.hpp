// SPDX-License-Identifier: Apache-2.0
// What the operator can say about TCP metering.  Plain values; the defaults are in the table of options.
#pragma once

#include <cstdint>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

enum class RttSide : std::uint8_t { destination, source };
enum class RetransmitMode : std::uint8_t { seed, strict };

struct TcpSettings {
  bool track = true;                        // export.track_tcp_performance
  bool extended = false;                    // meters TcpExtendedFields too: some exported field asks for it
  RttSide rtt_side = RttSide::destination;  // whose round trip a record of direction D carries
  RetransmitMode retransmit_mode = RetransmitMode::seed;  // strict leaves reordered segments out of retransmit_count
  bool ts_rtt = true;                                     // time-stamp echoes fill in when no ACK number hits
  std::uint32_t syn_cache_max = 100'000;                  // per process; a worker has its share
  Duration syn_ttl = std::chrono::seconds{30};
  bool dedup = true;                                        // recognise packets that the mirror delivered twice
  Duration dup_id_window = std::chrono::milliseconds{100};  // copies with equal IP identification
  Duration dup_window = std::chrono::microseconds{100};     // copies without IP identification; 0 = not looked for
  Duration reorder_default = std::chrono::milliseconds{3};  // reordering limit while the round trip is unknown
  Duration timeout_silence = std::chrono::milliseconds{180};
  Duration close_linger = std::chrono::seconds{5};  // a closed conversation is exported after this
};

}  // namespace whiteowl
