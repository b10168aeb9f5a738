// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/counters_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "whiteowl/base/error.hpp"

namespace whiteowl {
namespace {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    text.remove_prefix(static_cast<std::size_t>(checked(written, "writing the counters")));
  }
}

bool not_allowed(const std::system_error& error) {
  return error.code() == std::errc::permission_denied || error.code() == std::errc::operation_not_permitted;
}

}  // namespace

CountersFile::CountersFile(std::string path) : path_{std::move(path)} {
  constexpr int kOwn = O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    // A FIFO may wait for its reader until the end.
    regular_ = false;
    file_ = UniqueFd{::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file_) ::fcntl(file_.get(), F_SETFL, ::fcntl(file_.get(), F_GETFL) & ~O_NONBLOCK);
    if (!S_ISDIR(status.st_mode)) return;
    errno = EISDIR;
  } else {
    file_ = UniqueFd{::open(path_.c_str(), kOwn | O_CREAT | O_EXCL, 0644)};
    made_ = static_cast<bool>(file_);
    if (!file_ && errno == EEXIST) file_ = UniqueFd{::open(path_.c_str(), kOwn)};
    if (file_ || errno == ELOOP) return;
  }
  throw StartError{ExitStatus::failure, "--counters: cannot write " + path_ + ": " + std::strerror(errno)};
}

CountersFile::~CountersFile() {
  if (made_) ::unlink(path_.c_str());
}

void CountersFile::write(const CounterSources& sources) {
  made_ = false;
  if (!regular_ && file_) return write_all(file_.get(), counters_json(sources));
  try {
    write_counters(path_, sources);
  } catch (const std::system_error& error) {
    if (!file_ || !not_allowed(error)) throw;
    checked(::ftruncate(file_.get(), 0), path_.c_str());
    write_all(file_.get(), counters_json(sources));
  }
}

}  // namespace whiteowl
