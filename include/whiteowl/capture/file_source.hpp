// SPDX-License-Identifier: Apache-2.0
// Packets from a capture file: pcap (micro- and nanoseconds, either byte order) and pcapng (several sections and
// interfaces), or standard input.  Reads with read() into one reused buffer and hands out frames in place.
// Promise: stop() ends it wherever it is, except inside a read() of a file system that does not answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "whiteowl/capture/filter.hpp"
#include "whiteowl/capture/input_buffer.hpp"
#include "whiteowl/capture/source.hpp"

namespace whiteowl {

struct FileSettings {
  std::string path;           // "-" = standard input
  std::string bpf_filter;     // the meaning that libpcap gives it on files: tags are in the bytes
  std::uint32_t buffers = 1;  // more: frames stay valid behind the next read() while their buffer is held
  int cancel_fd = -1;         // opening, which may wait for a writer or the first octets, ends when it is readable
  std::shared_ptr<FilterPrograms> filter = {};  // of that expression, by whom it has been compiled before
  std::function<void()> when_open = {};         // called once, before the first octet is read; may throw
};

class FileSource final : public PacketSource {
 public:
  // Work of one read(): it returns by then, with an empty batch if no frame was for us, so that whoever calls can look
  // up from a stream in which nothing matches.  With several buffers also before it turns to the next but one.
  static constexpr std::size_t kMostOctetsARead = std::size_t{4} << 20U;

  // Opens and reads the first header.  Throws StartError (exit 1) for a file that cannot be read, is no capture, or has
  // a link type that is not decoded, and when it was cancelled; (exit 78) for a filter that does not compile.
  explicit FileSource(const FileSettings& settings);
  ~FileSource() override;
  [[nodiscard]] const FrameBatch& read() noexcept override;
  [[nodiscard]] std::string failure() const override;
  [[nodiscard]] const CaptureCounters& counters() const noexcept override;
  // Any thread: the next read() returns soon, with `end` and no frames.
  void stop() noexcept;
  // Where the frames of the last read() lie.
  [[nodiscard]] InputBuffer& buffer() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace whiteowl
