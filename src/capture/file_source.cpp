// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/file_source.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>
#include <variant>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"
#include "whiteowl/capture/link_type.hpp"
#include "whiteowl/capture/octet_input.hpp"
#include "whiteowl/capture/pcap_format.hpp"
#include "whiteowl/capture/pcapng_format.hpp"

namespace whiteowl {

namespace {

using Format = std::variant<PcapFormat, PcapngFormat>;

struct Compression {
  std::string_view magic, name, tool;
};
constexpr std::array kCompressions = {
    Compression{"\x1F\x8B", "gzip", "zcat"},          Compression{"\x28\xB5\x2F\xFD", "zstd", "zstdcat"},
    Compression{"\xFD\x37zXZ", "xz", "xzcat"},        Compression{"BZh", "bzip2", "bzcat"},
    Compression{"\x04\x22\x4D\x18", "lz4", "lz4cat"},
};

[[noreturn]] void refuse(const std::string& line) { throw StartError{ExitStatus::failure, line}; }

std::string name_of(const std::string& path) { return path == "-" ? "standard input" : path; }

UniqueFd open_input(const std::string& path) {
  const std::string name = name_of(path);
  if (path == "-") {
    if (::isatty(STDIN_FILENO) != 0) refuse("standard input is a terminal: pipe a capture into it");
    UniqueFd fd{::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)};
    if (!fd) refuse(name + ": " + std::strerror(errno));
    return fd;
  }
  // A FIFO is waited for by poll(), which can be interrupted, and not here.
  UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!fd && errno == ENOENT) refuse(name + ": no such capture file");
  if (!fd) refuse(name + ": cannot open the capture file: " + std::strerror(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode)) refuse(name + ": is a directory, not a capture file");
  return fd;
}

UniqueFd open_input(const FileSettings& settings) {
  UniqueFd fd = open_input(settings.path);
  if (settings.when_open) settings.when_open();
  return fd;
}

void refuse_if_cancelled(const FileSettings& settings) {
  if (is_readable(settings.cancel_fd)) refuse(name_of(settings.path) + ": stopped before the capture began");
}

// Waits until `octets` are there or the input ends.
void await(OctetInput& input, std::size_t octets, const FileSettings& settings) {
  while (input.unread().size() < octets) {
    refuse_if_cancelled(settings);
    const auto result = input.refill(octets);
    if (result == OctetInput::Refill::failed)
      refuse(name_of(settings.path) + ": cannot read: " + std::strerror(input.error()));
    if (result == OctetInput::Refill::end) return;
  }
}

[[noreturn]] void refuse_unknown(std::span<const std::uint8_t> octets, const std::string& path) {
  const std::string name = name_of(path);
  if (octets.empty()) refuse(name + ": is empty");
  const std::string_view text{reinterpret_cast<const char*>(octets.data()), octets.size()};
  for (const auto& compression : kCompressions) {
    if (text.substr(0, compression.magic.size()) != compression.magic) continue;
    refuse(name + ": is " + std::string{compression.name} + "-compressed: use `" + std::string{compression.tool} + " " +
           (path == "-" ? "FILE" : path) + " | chompy-probe --read -`");
  }
  refuse(name + ": is not a pcap or pcapng capture");
}

// Reads on to the first packet, as far as that does not mean waiting for a capture that has not seen one yet.
PcapngFormat open_pcapng(OctetInput& input, const FileSettings& settings) {
  PcapngFormat format{settings.filter, {.cancel_fd = settings.cancel_fd}};
  FrameBatch none;
  FileTally nothing;
  for (;;) {
    refuse_if_cancelled(settings);
    const auto unread = input.unread();
    OctetWindow window{unread.data(), unread.data() + unread.size()};
    const FillResult result = format.fill(window, none, nothing, 0);
    input.consume(static_cast<std::size_t>(window.next - unread.data()));
    const bool packet_next = result.why == FillResult::Why::full;
    if (packet_next && format.nothing_decoded())
      refuse(name_of(settings.path) + ": " + link_type_title(format.first_link_type()) + " is not decoded");
    // Damage stays where it is and is found again by the first read().
    if (packet_next || result.why == FillResult::Why::damaged || format.has_interface()) return format;
    const auto refilled = input.refill(result.wanted);
    if (refilled == OctetInput::Refill::end || refilled == OctetInput::Refill::failed) return format;
  }
}

Format open_format(OctetInput& input, const FileSettings& settings) {
  const std::string name = name_of(settings.path);
  await(input, 4, settings);
  const bool has_magic = input.unread().size() >= 4;
  if (has_magic && PcapngFormat::recognises(input.unread().data())) return open_pcapng(input, settings);
  if (!has_magic || !PcapFormat::recognises(input.unread().data())) refuse_unknown(input.unread(), settings.path);
  await(input, PcapFormat::kHeaderOctets, settings);
  if (input.unread().size() < PcapFormat::kHeaderOctets) refuse(name + ": is cut short inside its header");
  PcapFormat format{input.unread().data(), name, *settings.filter, {.cancel_fd = settings.cancel_fd}};
  input.consume(PcapFormat::kHeaderOctets);
  return format;
}

}  // namespace

struct FileSource::Impl {
  explicit Impl(const FileSettings& settings)
      : name{name_of(settings.path)},
        several_buffers{settings.buffers > 1},
        input{open_input(settings), settings.buffers},
        format{open_format(interrupted_by(settings.cancel_fd), settings)} {
    interrupted_by(stop_event.get());
    if (auto* const blocks = std::get_if<PcapngFormat>(&format)) blocks->interrupted_by(stop_event.get());
  }

  // What ended the stream before its time; texts are built when asked for.
  enum class Trouble : std::uint8_t { none, damaged, cut_short, unreadable, no_memory, filter };

  OctetInput& interrupted_by(int fd) noexcept {
    input.interrupted_by(fd);
    return input;
  }
  FillResult fill();
  void read_on();
  void end_with(Trouble what, const char* where = "") noexcept;
  void count(const FileTally& tally) noexcept;

  std::string name;
  bool several_buffers;
  UniqueFd stop_event{checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")};
  std::atomic<bool> stop_asked{false};
  OctetInput input;
  Format format;
  FrameBatch batch;
  CaptureCounters counters;
  Trouble trouble = Trouble::none;
  const char* detail = "";
  std::string filter_error;
};

FillResult FileSource::Impl::fill() {
  const auto unread = input.unread();
  OctetWindow window{unread.data(), unread.data() + unread.size()};
  FileTally tally;
  const auto settle = [&] {
    input.consume(static_cast<std::size_t>(window.next - unread.data()));
    count(tally);
  };
  try {
    const FillResult result = std::holds_alternative<PcapFormat>(format)
                                  ? std::get<PcapFormat>(format).fill(window, batch, tally)
                                  : std::get<PcapngFormat>(format).fill(window, batch, tally, FrameBatch::kCapacity);
    settle();
    return result;
  } catch (...) {
    settle();  // the frames before the interface whose filter does not compile count
    throw;
  }
}

void FileSource::Impl::end_with(Trouble what, const char* where) noexcept {
  batch.end = true;
  trouble = what;
  detail = where;
}

void FileSource::Impl::count(const FileTally& tally) noexcept {
  counters.packets_received.add(tally.packets);
  counters.octets_received.add(tally.octets);
  counters.packets_filtered.add(tally.filtered);
  counters.packets_unsupported.add(tally.unsupported);
  counters.packets_cut.add(tally.cut);
}

void FileSource::Impl::read_on() {
  const std::uint64_t begun = input.offset();
  while (input.offset() - begun < kMostOctetsARead) {
    if (stop_asked.load(std::memory_order_acquire)) return end_with(Trouble::none);
    const FillResult result = fill();
    // Frames lie in the buffer: it is not touched again before they have been used.
    if (batch.size > 0) return;
    if (result.why == FillResult::Why::damaged) return end_with(Trouble::damaged, result.damage);
    if (result.why == FillResult::Why::paused) continue;
    switch (input.refill(result.wanted)) {
      case OctetInput::Refill::more:
        // Frames that wait to be passed on hold their buffer, and its turn to be filled comes round.
        if (several_buffers) return;
        break;
      case OctetInput::Refill::nothing_yet:
        return;
      case OctetInput::Refill::end:
        return end_with(input.unread().empty() ? Trouble::none : Trouble::cut_short, result.inside);
      case OctetInput::Refill::failed:
        return end_with(Trouble::unreadable);
    }
  }
}

namespace {
FileSettings with_filter(FileSettings settings) {
  if (!settings.filter) settings.filter = std::make_shared<FilterPrograms>(settings.bpf_filter);
  return settings;
}
}  // namespace

FileSource::FileSource(const FileSettings& settings) : impl_{std::make_unique<Impl>(with_filter(settings))} {}
FileSource::~FileSource() = default;

const FrameBatch& FileSource::read() noexcept {
  FrameBatch& batch = impl_->batch;
  batch.size = 0;
  batch.has_watermark = false;
  try {
    impl_->read_on();
  } catch (const StartError& error) {
    impl_->filter_error = error.what();
    impl_->end_with(Impl::Trouble::filter);
  } catch (const std::bad_alloc&) {
    impl_->end_with(Impl::Trouble::no_memory);
  }
  if (batch.size > 0) {
    // A file's time is its packets' time, and a badly merged file's goes back with them: the last stamp, not the
    // latest.
    batch.watermark = batch.frames[batch.size - 1].time;
    batch.has_watermark = true;
  }
  return batch;
}

std::string FileSource::failure() const {
  const Impl& s = *impl_;
  const std::string at = " at octet " + std::to_string(s.input.offset());
  std::string line;
  switch (s.trouble) {
    case Impl::Trouble::none:
      break;
    case Impl::Trouble::damaged:
      line = s.name + ": damaged" + at + ": " + s.detail;
      break;
    case Impl::Trouble::cut_short:
      line = s.name + ": cut short inside " + s.detail + " that begins" + at;
      break;
    case Impl::Trouble::unreadable:
      line = s.name + ": cannot read on" + at + ": " + std::strerror(s.input.error());
      break;
    case Impl::Trouble::no_memory:
      line = s.name + ": no memory for the block" + at;
      break;
    case Impl::Trouble::filter:
      line = s.name + ": for the interface described" + at + ": " + s.filter_error;
      break;
  }
  if (const auto left_out = s.counters.packets_unsupported.get(); left_out > 0) {
    line += (line.empty() ? s.name + ": " : "; ") + std::to_string(left_out) +
            " packets left out: " + link_type_title(std::get<PcapngFormat>(s.format).unsupported_link_type()) +
            " is not decoded";
  }
  return line;
}

void FileSource::stop() noexcept {
  impl_->stop_asked.store(true, std::memory_order_release);
  // Full only when it has been told before.
  ::eventfd_write(impl_->stop_event.get(), 1);
}

InputBuffer& FileSource::buffer() const noexcept { return impl_->input.buffer(); }

const CaptureCounters& FileSource::counters() const noexcept { return impl_->counters; }

}  // namespace whiteowl
