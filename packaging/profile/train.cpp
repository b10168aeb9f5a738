// SPDX-License-Identifier: Apache-2.0
// Sends captures down the street as the probe does, so that its code counts what a packet does (WHITEOWL_PROFILE).
//   profile_train   reads NAME.pcap of the current folder for each name in kRounds
// Promise: the same counts each time.  One thread, time and hash key are given; what is counted sees no path, no
// address of a machine and no clock, and of addresses in memory always the same bits within a page.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "whiteowl/base/wire.hpp"
#include "whiteowl/capture/file_source.hpp"
#include "whiteowl/exporter/exporter.hpp"
#include "whiteowl/flow/meter.hpp"

namespace whiteowl {
namespace {

enum class Around : std::uint8_t { nothing, vlan, vxlan };

// Which packets, and what differs from the defaults.
struct Round {
  const char* capture;
  Around around = Around::nothing;
  bool extended = false;
  bool biflow = false;
  std::uint32_t max_flows = FlowSettings{}.max_flows;
};

// The defaults have most of the packets; what is rarer is there so that it does not count as never used.
constexpr std::array kRounds{
    Round{.capture = "few"},
    Round{.capture = "many"},
    Round{.capture = "tcp"},
    Round{.capture = "imix"},
    Round{.capture = "synflood"},
    Round{.capture = "tcp", .extended = true},
    Round{.capture = "imix", .around = Around::vlan, .biflow = true, .max_flows = 16'384},
    Round{.capture = "imix", .around = Around::vxlan},
};

// Two odd words and one that is not: what they are does not matter, that they stay does.
constexpr HashKey kHashKey{0x9E3779B97F4A7C15U, 0xD1B54A32D192ED03U, 0x8CB92BA72F3D8DD6U};

// Frames as they would have come with a tag, or in a tunnel.
class Wrapper {
 public:
  explicit Wrapper(Around around) : around_{around} {}

  [[nodiscard]] const FrameBatch& wrap(const FrameBatch& batch) {
    if (around_ == Around::nothing) return batch;
    wrapped_ = batch;
    for (std::size_t i = 0; i < batch.size; ++i) {
      const Frame& frame = batch.frames[i];
      if (frame.captured_octets > kRoom - kMost || frame.captured_octets < kMacs)
        throw std::runtime_error{"a frame is longer or shorter than the captures of the training have them"};
      Writer out{octets_[i]};
      if (around_ == Around::vlan)
        tag(frame, out);
      else
        tunnel(frame, out);
      const auto added = static_cast<std::uint32_t>(out.written()) - frame.captured_octets;
      wrapped_.frames[i].data = octets_[i].data();
      wrapped_.frames[i].captured_octets += added;
      wrapped_.frames[i].wire_octets += added;
    }
    return wrapped_;
  }

 private:
  static constexpr std::size_t kMacs = 12, kMost = 50, kRoom = 256;

  static void tag(const Frame& frame, Writer& out) {
    out.put_octets(frame.data, kMacs);
    out.put(std::uint32_t{0x81000064U});  // 802.1Q, VLAN 100
    out.put_octets(frame.data + kMacs, frame.captured_octets - kMacs);
  }
  // Ethernet, IPv4, UDP and VXLAN (RFC 7348 5) with checksums of 0, which nobody looks at.
  static void tunnel(const Frame& frame, Writer& out) {
    const auto inside = static_cast<std::uint16_t>(frame.wire_octets);
    out.put_octets(frame.data, kMacs);
    out.put(std::uint16_t{0x0800});
    out.put(std::uint16_t{0x4500});
    out.put(static_cast<std::uint16_t>(inside + 36));
    out.put(std::uint32_t{0});           // identification, offset
    out.put(std::uint32_t{0x40110000});  // 64 hops, UDP
    out.put(std::uint32_t{0xC0000201});
    out.put(std::uint32_t{0xC0000202});
    out.put(std::uint32_t{0xC00012B5});  // to port 4789
    out.put(static_cast<std::uint16_t>(inside + 16));
    out.put(std::uint16_t{0});
    out.put(std::uint32_t{0x08000000});
    out.put(std::uint32_t{7 << 8});
    out.put_octets(frame.data, frame.captured_octets);
  }

  Around around_;
  FrameBatch wrapped_;
  std::array<std::array<std::uint8_t, kRoom>, FrameBatch::kCapacity> octets_{};
};

// Queue and exporter on the worker's own thread: a queue that is full, as at the end of a round, is emptied first.
class Street final : public RecordSink {
 public:
  explicit Street(const Round& round)
      : queue_{ExporterSettings{}.queue_records},
        sink_{queue_, QueueSink::WhenFull::drop, round.extended},
        exporter_{exporter_settings(), ipfix_settings(round), {&queue_}, {}} {}

  void put(const FlowRecord& record) noexcept override {
    if (queue_.size() == queue_.capacity()) drain();
    sink_.put(record);
  }
  void pass(Timestamp now) noexcept {
    now_ = now;
    if (queue_.size() >= kDue) drain();
  }
  void finish() {
    queue_.close();
    drain();
    if (!exporter_.finished(now_) || exporter_.counters().records_not_sent.get() != 0)
      throw std::runtime_error{"not every record was exported"};
  }
  [[nodiscard]] std::uint64_t records() const noexcept { return exporter_.counters().records_sent.get(); }

 private:
  static constexpr std::size_t kDue = 64;

  static ExporterSettings exporter_settings() {
    ExporterSettings settings;
    settings.collectors = {"file:///dev/null"};
    return settings;
  }
  static IpfixSettings ipfix_settings(const Round& round) {
    IpfixSettings settings;
    if (round.extended) settings.fields = {"extended"};
    settings.biflow = round.biflow;
    return settings;
  }
  void drain() noexcept {
    while (exporter_.step(now_)) {
    }
  }

  RecordQueue queue_;
  QueueSink sink_;
  Exporter exporter_;
  Timestamp now_{};
};

void run(const Round& round) {
  FlowSettings flow;
  flow.interface_index = {0};
  flow.max_flows = round.max_flows;
  flow.biflow = round.biflow;
  TcpSettings tcp;
  tcp.extended = round.extended;
  DecodeSettings decode;
  decode.inner = round.around == Around::vxlan;

  Street street{round};
  Meter meter{flow, tcp, decode, 1, street, kHashKey};
  FileSource source{{.path = std::string{round.capture} + ".pcap", .bpf_filter = {}}};
  Wrapper wrapper{round.around};
  for (bool end = false; !end;) {
    const FrameBatch& batch = wrapper.wrap(source.read());
    meter.observe(batch);
    if (batch.size != 0) street.pass(batch.frames[batch.size - 1].time);
    end = batch.end;
  }
  if (!source.failure().empty()) throw std::runtime_error{source.failure()};
  meter.flush(FlowEndReason::forced_end);
  street.finish();
  const auto packets = meter.counters().packets_metered.get();
  if (packets != source.counters().packets_received.get())
    throw std::runtime_error{std::string{round.capture} + ": a packet was not metered"};
  std::fprintf(stderr, "%s: %llu packets, %llu records\n", round.capture, static_cast<unsigned long long>(packets),
               static_cast<unsigned long long>(street.records()));
}

}  // namespace
}  // namespace whiteowl

int main() {
  int status = 0;
  // GCC notes how addresses are aligned.  Where the first thread's stack begins differs with luck and the environment;
  // a thread that is made has its stack, and what it allocates, at the same place in a page each time.
  std::thread{[&status] {
    try {
      for (const auto& round : whiteowl::kRounds) whiteowl::run(round);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "profile_train: %s\n", error.what());
      status = 1;
    }
  }}.join();
  return status;
}
