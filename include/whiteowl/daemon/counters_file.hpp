// SPDX-License-Identifier: Apache-2.0
// The file of --counters, opened at the start: the process that writes it at the end may have become one that could
// not open it any more.
#pragma once

#include <string>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/daemon/counters.hpp"

namespace whiteowl {

class CountersFile {
 public:
  // Makes the file if it is not there.  Throws StartError (1).
  explicit CountersFile(std::string path);
  // Takes away a file that it made and that was not written into, as far as it may.
  ~CountersFile();
  CountersFile(const CountersFile&) = delete;
  CountersFile& operator=(const CountersFile&) = delete;

  // All of the file in place of the one before, at once where the folder lets us make another.  Throws
  // std::system_error.
  void write(const CounterSources& sources);

 private:
  std::string path_;
  UniqueFd file_;  // none for a link to a file: it may have been set by a stranger, who then chooses what we overwrite
  bool regular_ = true;
  bool made_ = false;
};

}  // namespace whiteowl
