// SPDX-License-Identifier: Apache-2.0
// Files of outputs that were opened while the process still had the right to.
// Promise: what was in a file stays there until an output takes it; a file that was made and that none took is not left
// behind, as far as we may remove it then.
// Thread: main.
#pragma once

#include <map>
#include <string>

#include "whiteowl/exporter/output_file.hpp"

namespace whiteowl {

class OpenedFiles {
 public:
  OpenedFiles() = default;
  ~OpenedFiles();
  OpenedFiles(const OpenedFiles&) = delete;
  OpenedFiles& operator=(const OpenedFiles&) = delete;

  // Throws StartError.
  void open(const std::string& path);
  // The file that was opened, once, and empty; else it is opened now, which throws StartError.
  [[nodiscard]] OutputFile take(const std::string& path);

 private:
  struct File {
    OutputFile file;
    bool made;
  };
  std::map<std::string, File> files_;
};

}  // namespace whiteowl
