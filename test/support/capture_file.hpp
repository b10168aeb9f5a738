// SPDX-License-Identifier: Apache-2.0
// Capture files written number by number, as their drafts lay them out: the tests' side of the two formats.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace whiteowl::test {

using Octets = std::vector<std::uint8_t>;

enum class Endian : std::uint8_t { little, big };

// Appends numbers in either byte order.
class FileWriter {
 public:
  explicit FileWriter(Endian endian) : endian_{endian} {}
  template <typename T>
  FileWriter& put(T value) {
    Octets octets;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      octets.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
    if (endian_ == Endian::big) std::reverse(octets.begin(), octets.end());
    return put(octets);
  }
  FileWriter& put(const Octets& octets) {
    octets_.insert(octets_.end(), octets.begin(), octets.end());
    return *this;
  }
  FileWriter& pad() {
    while (octets_.size() % 4 != 0) octets_.push_back(0);
    return *this;
  }
  [[nodiscard]] const Octets& octets() const { return octets_; }

 private:
  Endian endian_;
  Octets octets_;
};

// --- pcap ----------------------------------------------------------------------------------------------------------

inline Octets pcap_header(Endian endian, std::uint32_t magic, std::uint32_t link_type, std::uint16_t minor = 4) {
  FileWriter writer{endian};
  writer.put(magic)
      .put(std::uint16_t{2})
      .put(minor)
      .put(std::uint32_t{0})
      .put(std::uint32_t{0})
      .put(std::uint32_t{65535})
      .put(link_type);
  return writer.octets();
}

inline Octets pcap_packet(Endian endian, std::uint32_t seconds, std::uint32_t fraction, const Octets& frame,
                          std::uint32_t wire = 0) {
  FileWriter writer{endian};
  const auto size = static_cast<std::uint32_t>(frame.size());
  writer.put(seconds).put(fraction).put(size).put(wire == 0 ? size : wire).put(frame);
  return writer.octets();
}

// --- pcapng --------------------------------------------------------------------------------------------------------

inline Octets block(Endian endian, std::uint32_t type, const Octets& body) {
  FileWriter writer{endian};
  FileWriter padded{endian};
  padded.put(body).pad();
  const auto total = static_cast<std::uint32_t>(padded.octets().size() + 12);
  writer.put(type).put(total).put(padded.octets()).put(total);
  return writer.octets();
}

inline Octets section(Endian endian) {
  FileWriter body{endian};
  body.put(std::uint32_t{0x1A2B3C4D}).put(std::uint16_t{1}).put(std::uint16_t{0}).put(std::int64_t{-1});
  return block(endian, 0x0A0D0D0A, body.octets());
}

inline Octets option(Endian endian, std::uint16_t code, const Octets& value) {
  FileWriter writer{endian};
  writer.put(code).put(static_cast<std::uint16_t>(value.size())).put(value).pad();
  return writer.octets();
}

inline Octets interface_block(Endian endian, std::uint16_t link_type, std::uint32_t snap_len = 0,
                              const Octets& options = {}) {
  FileWriter body{endian};
  body.put(link_type).put(std::uint16_t{0}).put(snap_len).put(options);
  if (!options.empty()) body.put(std::uint32_t{0});
  return block(endian, 1, body.octets());
}

inline Octets enhanced_packet(Endian endian, std::uint32_t interface, std::uint64_t ticks, const Octets& frame,
                              std::uint32_t wire = 0, const Octets& options = {}) {
  FileWriter body{endian};
  const auto size = static_cast<std::uint32_t>(frame.size());
  body.put(interface).put(static_cast<std::uint32_t>(ticks >> 32U)).put(static_cast<std::uint32_t>(ticks)).put(size);
  body.put(wire == 0 ? size : wire).put(frame).pad().put(options);
  return block(endian, 6, body.octets());
}

inline Octets simple_packet(Endian endian, const Octets& captured, std::uint32_t wire) {
  FileWriter body{endian};
  body.put(wire).put(captured);
  return block(endian, 3, body.octets());
}

inline Octets obsolete_packet(Endian endian, std::uint16_t interface, std::uint64_t ticks, const Octets& frame) {
  FileWriter body{endian};
  const auto size = static_cast<std::uint32_t>(frame.size());
  body.put(interface)
      .put(std::uint16_t{0xFFFF})
      .put(static_cast<std::uint32_t>(ticks >> 32U))
      .put(static_cast<std::uint32_t>(ticks));
  body.put(size).put(size).put(frame);
  return block(endian, 2, body.octets());
}

// --- files ---------------------------------------------------------------------------------------------------------

inline Octets joined(const std::vector<Octets>& parts) {
  Octets all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// A file that is gone with its object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const Octets& content) {
    const char* folder = std::getenv("TMPDIR");
    path_ = std::string{folder == nullptr ? "/tmp" : folder} + "/capture_test.XXXXXX";
    const int fd = ::mkstemp(path_.data());
    if (fd < 0 || ::write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
      throw std::runtime_error{"no temporary file"};
    ::close(fd);
  }
  explicit TemporaryFile(const std::vector<Octets>& parts) : TemporaryFile{joined(parts)} {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace whiteowl::test
