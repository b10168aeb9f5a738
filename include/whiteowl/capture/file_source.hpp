// SPDX-License-Identifier: Apache-2.0
// Packets from a capture file: pcap (micro- and nanoseconds, either byte order) and pcapng (several sections and
// interfaces), or standard input.  Reads with read() into one reused buffer and hands out frames in place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "whiteowl/capture/input_buffer.hpp"
#include "whiteowl/capture/source.hpp"

namespace whiteowl {

struct FileSettings {
  std::string path;                      // "-" = standard input
  std::string bpf_filter;                // the meaning that libpcap gives it on files: tags are in the bytes
  std::uint32_t buffers = 1;             // more: frames stay valid behind the next read() while their buffer is held
  std::function<void()> when_open = {};  // called once, before the first octet is read; may throw
};

class FileSource final : public PacketSource {
 public:
  // Opens and reads the first header.  Throws StartError (exit 1) for a file that cannot be read, is no capture, or has
  // a link type that is not decoded; (exit 78) for a filter that does not compile.
  explicit FileSource(const FileSettings& settings);
  ~FileSource() override;
  [[nodiscard]] const FrameBatch& read() noexcept override;
  [[nodiscard]] std::string failure() const override;
  [[nodiscard]] const CaptureCounters& counters() const noexcept override;
  // Where the frames of the last read() lie.
  [[nodiscard]] InputBuffer& buffer() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace whiteowl
