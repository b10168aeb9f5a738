// SPDX-License-Identifier: Apache-2.0
// Files of outputs that were opened while the process still had the right to.
// Thread: main.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "whiteowl/base/fd.hpp"

namespace whiteowl {

// Opens a file to write IPFIX into, empty.  Throws StartError.
[[nodiscard]] UniqueFd open_output_file(const std::string& path);

class OpenedFiles {
 public:
  void open(const std::string& path) { files_.insert_or_assign(path, open_output_file(path)); }
  // The file that was opened, once; else it is opened now.
  [[nodiscard]] UniqueFd take(const std::string& path) {
    auto opened = files_.extract(path);
    return opened.empty() ? open_output_file(path) : std::move(opened.mapped());
  }

 private:
  std::map<std::string, UniqueFd> files_;
};

}  // namespace whiteowl
