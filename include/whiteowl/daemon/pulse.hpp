// SPDX-License-Identifier: Apache-2.0
// Whether the threads still move: each has a count that rises with every round of its loop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace whiteowl {

struct Beat {
  std::string name;  // of the thread, for the log
  std::uint64_t rounds = 0;
  bool ended = false;  // nothing is expected of it any more
};

class Pulse {
 public:
  // The threads that made no round since the call before, nor ended; at the first call, since they began.
  [[nodiscard]] std::vector<std::string> stuck(const std::vector<Beat>& beats) {
    std::vector<std::string> names;
    rounds_.resize(beats.size());
    for (std::size_t i = 0; i < beats.size(); ++i) {
      if (!beats[i].ended && beats[i].rounds == rounds_[i]) names.push_back(beats[i].name);
      rounds_[i] = beats[i].rounds;
    }
    return names;
  }

 private:
  std::vector<std::uint64_t> rounds_;
};

}  // namespace whiteowl
