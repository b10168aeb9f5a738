// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/opened_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace whiteowl {

OpenedFiles::~OpenedFiles() {
  for (const auto& [path, opened] : files_) {
    if (opened.made) ::unlink(path.c_str());
  }
}

void OpenedFiles::open(const std::string& path) {
  if (files_.contains(path)) return;
  const UniqueFd made{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_CREAT | O_EXCL, 0644)};
  files_.emplace(path, File{OutputFile::with_its_contents(path), static_cast<bool>(made)});
}

OutputFile OpenedFiles::take(const std::string& path) {
  const auto opened = files_.find(path);
  if (opened == files_.end()) return OutputFile{path};
  OutputFile file = std::move(opened->second.file);
  files_.erase(opened);
  file.empty();
  return file;
}

}  // namespace whiteowl
