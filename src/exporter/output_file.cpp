// SPDX-License-Identifier: Apache-2.0
// Descriptors that are written without waiting.
#include "whiteowl/exporter/output_file.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "whiteowl/base/error.hpp"

namespace whiteowl {

namespace {

constexpr int kOurs = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

std::string why_not(const std::string& path, int error) {
  struct stat status {};
  const bool there = ::stat(path.c_str(), &status) == 0;
  if (error == ENXIO && there && S_ISFIFO(status.st_mode)) return "nobody reads this FIFO; start its reader first";
  if (error == ENXIO && there && S_ISSOCK(status.st_mode)) return "this is a socket; name a file or a FIFO";
  return std::generic_category().message(error);
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : OutputFile{with_its_contents(path)} { empty(); }

OutputFile OutputFile::with_its_contents(const std::string& path) {
  OutputFile opened;
  if (path == "/dev/stdout" || path == "/dev/stderr") {
    opened.share(path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO);
    return opened;
  }
  opened.file_ = UniqueFd{::open(path.c_str(), kOurs | O_CREAT, 0644)};
  if (!opened.file_) throw StartError{ExitStatus::failure, "cannot write " + path + ": " + why_not(path, errno)};
  struct stat status {};
  if (::fstat(opened.file_.get(), &status) != 0) return opened;
  if (S_ISREG(status.st_mode)) opened.kind_ = Kind::regular;
  if (S_ISFIFO(status.st_mode)) opened.kind_ = Kind::pipe;
  return opened;
}

void OutputFile::empty() noexcept {
  // What was shared with us is not ours to empty; of a pipe or a device there is nothing.
  if (kind_ == Kind::regular && !shared_) static_cast<void>(::ftruncate(file_.get(), 0) == 0);
}

OutputFile::OutputFile(int fd) { share(fd); }

void OutputFile::share(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return;
  if (S_ISREG(status.st_mode)) kind_ = Kind::regular;
  if (S_ISFIFO(status.st_mode)) kind_ = Kind::pipe;
  if (S_ISSOCK(status.st_mode)) kind_ = Kind::socket;
  if (kind_ == Kind::pipe || ::isatty(fd) == 1)
    file_ = UniqueFd{::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), kOurs)};
  if (file_) return;
  file_ = UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  shared_ = true;
}

std::size_t OutputFile::whole() const noexcept { return kind_ == Kind::pipe ? PIPE_BUF : 0; }

OutputFile::Taken OutputFile::write_some(const std::uint8_t* octets, std::size_t size) noexcept {
  if (!file_) return {0, EBADF};
  if (kind_ == Kind::pipe || kind_ == Kind::other) {
    pollfd room{file_.get(), POLLOUT, 0};
    if (::poll(&room, 1, 0) <= 0) return {0, EAGAIN};
    // Of a terminal that was closed as of a pipe.
    if ((room.revents & POLLERR) != 0) return {0, EPIPE};
    if (shared_) size = std::min<std::size_t>(size, PIPE_BUF);
  }
  const ssize_t took = kind_ == Kind::socket ? ::send(file_.get(), octets, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                             : ::write(file_.get(), octets, size);
  if (took < 0) return {0, errno};
  return {static_cast<std::size_t>(took), 0};
}

OutputFile::Taken OutputFile::write(std::span<const std::uint8_t> octets) noexcept {
  Taken all;
  while (all.octets != octets.size()) {
    const auto some = write_some(octets.data() + all.octets, octets.size() - all.octets);
    all.octets += some.octets;
    if (some.error == EINTR) continue;
    // A device that takes nothing and says nothing would be asked for ever.
    all.error = some.error == 0 && some.octets == 0 ? EIO : some.error;
    if (all.error == ECONNRESET) all.error = EPIPE;
    if (all.error != 0) break;
  }
  return all;
}

OutputFile::Taken OutputFile::write(const char* text, std::size_t size) noexcept {
  return write({reinterpret_cast<const std::uint8_t*>(text), size});
}

bool OutputFile::take_back(std::size_t octets) noexcept {
  if (kind_ != Kind::regular) return false;
  const off_t end = ::lseek(file_.get(), -static_cast<off_t>(octets), SEEK_CUR);
  return end >= 0 && ::ftruncate(file_.get(), end) == 0;
}

int OutputFile::close() noexcept {
  if (!file_) return 0;
  const int fd = file_.release();
  return ::close(fd) == 0 || errno == EINTR ? 0 : errno;
}

}  // namespace whiteowl
