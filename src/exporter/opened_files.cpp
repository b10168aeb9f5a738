// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/opened_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "whiteowl/base/error.hpp"

namespace whiteowl {
namespace {

constexpr mode_t kMode = 0644;

UniqueFd open_for_writing(const std::string& path, int flags) {
  UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, kMode)};
  if (!file)
    throw StartError{ExitStatus::failure, "cannot write " + path + ": " + std::generic_category().message(errno)};
  return file;
}

}  // namespace

UniqueFd open_output_file(const std::string& path) { return open_for_writing(path, O_CREAT | O_TRUNC); }

OpenedFiles::~OpenedFiles() {
  for (const auto& [path, file] : files_) {
    if (file.made) ::unlink(path.c_str());
  }
}

void OpenedFiles::open(const std::string& path) {
  if (files_.contains(path)) return;
  UniqueFd made{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_CREAT | O_EXCL, kMode)};
  const bool is_new = static_cast<bool>(made);
  files_.emplace(path, File{is_new ? std::move(made) : open_for_writing(path, O_CREAT), is_new});
}

UniqueFd OpenedFiles::take(const std::string& path) {
  const auto opened = files_.find(path);
  if (opened == files_.end()) return open_output_file(path);
  UniqueFd file = std::move(opened->second.fd);
  files_.erase(opened);
  // Of a pipe or a device there is nothing to empty.
  static_cast<void>(::ftruncate(file.get(), 0) == 0);
  return file;
}

}  // namespace whiteowl
