// SPDX-License-Identifier: Apache-2.0
// The expected numbers are those that the test wrote into the file.
#include "whiteowl/capture/file_source.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/capture_file.hpp"
#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

constexpr std::uint32_t kMicro = 0xA1B2C3D4, kNano = 0xA1B23C4D, kModified = 0xA1B2CD34;
constexpr Endian kLittle = Endian::little, kBig = Endian::big;

struct Seen {
  std::int64_t time;
  Octets octets;
  std::uint32_t wire;
  LinkType link;
  bool outgoing;
};

struct Reading {
  std::vector<Seen> frames;
  std::string failure;
  std::uint64_t received = 0, octets = 0, filtered = 0, unsupported = 0, cut = 0;
};

Reading read_all(FileSource& source) {
  Reading reading;
  for (;;) {
    const FrameBatch& batch = source.read();
    REQUIRE(batch.size <= FrameBatch::kCapacity);
    for (std::size_t i = 0; i < batch.size; ++i) {
      const Frame& f = batch.frames[i];
      reading.frames.push_back({f.time.time_since_epoch().count(), Octets(f.data, f.data + f.captured_octets),
                                f.wire_octets, f.link, f.outgoing});
    }
    CHECK(batch.has_watermark == (batch.size > 0));
    if (batch.size > 0) CHECK(batch.watermark == batch.frames[batch.size - 1].time);
    if (batch.end) break;
  }
  reading.failure = source.failure();
  reading.received = source.counters().packets_received.get();
  reading.octets = source.counters().octets_received.get();
  reading.filtered = source.counters().packets_filtered.get();
  reading.unsupported = source.counters().packets_unsupported.get();
  reading.cut = source.counters().packets_cut.get();
  CHECK(reading.received == reading.frames.size() + reading.filtered + reading.unsupported);
  return reading;
}

Reading read_file(const std::vector<Octets>& parts, const std::string& filter = {}) {
  const TemporaryFile file{parts};
  FileSource source{FileSettings{file.path(), filter}};
  return read_all(source);
}

// The line and status with which opening is refused.
struct Refusal {
  ExitStatus status = ExitStatus::ok;
  std::string line;
};
Refusal refusal(const std::string& path, const std::string& filter = {}) {
  try {
    const FileSource source{FileSettings{path, filter}};
  } catch (const StartError& error) {
    return {error.status(), error.what()};
  }
  return {};
}
Refusal refusal_of(const std::vector<Octets>& parts, const std::string& filter = {}) {
  const TemporaryFile file{parts};
  return refusal(file.path(), filter);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Octets numbered(std::size_t size, std::uint8_t first) {
  Octets octets(size);
  for (auto& octet : octets) octet = first++;
  return octets;
}

// Ethernet, IPv4, UDP or TCP with given ports: enough for filters.
Octets ip_frame(std::uint8_t protocol, std::uint16_t destination_port, bool vlan = false) {
  FileWriter writer{kBig};
  writer.put(numbered(12, 1));
  if (vlan) writer.put(std::uint16_t{0x8100}).put(std::uint16_t{100});
  writer.put(std::uint16_t{0x0800}).put(Octets{0x45, 0, 0,  40, 0, 0, 0,  0, 64, protocol,
                                               0,    0, 10, 0,  0, 1, 10, 0, 0,  2});
  writer.put(std::uint16_t{4000}).put(destination_port).put(Octets(16, 0));
  return writer.octets();
}

constexpr std::uint8_t kTcp = 6, kUdp = 17;

}  // namespace

TEST_CASE("pcap of both byte orders and both resolutions gives the packets written") {
  for (const Endian endian : {kLittle, kBig}) {
    for (const std::uint32_t magic : {kMicro, kNano}) {
      const Reading r =
          read_file({pcap_header(endian, magic, 1), pcap_packet(endian, 1'500'000'000, 123'456, numbered(60, 0)),
                     pcap_packet(endian, 1'500'000'001, 999'999, numbered(20, 7), 1514)});
      const std::int64_t unit = magic == kMicro ? 1000 : 1;
      REQUIRE(r.frames.size() == 2);
      CHECK(r.failure.empty());
      CHECK(r.frames[0].time == 1'500'000'000'000'000'000 + 123'456 * unit);
      CHECK(r.frames[0].octets == numbered(60, 0));
      CHECK(r.frames[0].wire == 60);
      CHECK(r.frames[1].time == 1'500'000'001'000'000'000 + 999'999 * unit);
      CHECK(r.frames[1].octets == numbered(20, 7));
      CHECK(r.frames[1].wire == 1514);
      CHECK(r.octets == 1574);
      CHECK(r.cut == 1);
    }
  }
}

TEST_CASE("the modified format with longer packet headers is read") {
  FileWriter writer{kBig};
  writer.put(pcap_header(kBig, kModified, 101));
  writer.put(std::uint32_t{10}).put(std::uint32_t{20}).put(std::uint32_t{4}).put(std::uint32_t{40});
  writer.put(std::uint32_t{2}).put(std::uint16_t{0x0800}).put(std::uint8_t{4}).put(std::uint8_t{0}).put(numbered(4, 9));
  const Reading r = read_file({writer.octets()});
  REQUIRE(r.frames.size() == 1);
  CHECK(r.frames[0].octets == numbered(4, 9));
  CHECK(r.frames[0].link == LinkType::raw_ip);
  CHECK(r.frames[0].outgoing);
  CHECK(r.frames[0].time == 10'000'020'000);
}

TEST_CASE("old versions that swapped the two lengths are read") {
  // 2.2 wrote the wire length first; 2.3 either way.
  for (const std::uint16_t minor : {std::uint16_t{2}, std::uint16_t{3}}) {
    FileWriter writer{kLittle};
    writer.put(pcap_header(kLittle, kMicro, 1, minor)).put(std::uint32_t{1}).put(std::uint32_t{0});
    writer.put(std::uint32_t{100}).put(std::uint32_t{8}).put(numbered(8, 0));
    const Reading r = read_file({writer.octets()});
    REQUIRE(r.frames.size() == 1);
    CHECK(r.frames[0].octets.size() == 8);
    CHECK(r.frames[0].wire == 100);
  }
  const Reading r = read_file({pcap_header(kLittle, kMicro, 1, 3), pcap_packet(kLittle, 1, 0, numbered(8, 0), 100)});
  REQUIRE(r.frames.size() == 1);
  CHECK(r.frames[0].wire == 100);
}

TEST_CASE("a fraction beyond its second is carried and the largest stamp is safe") {
  const Reading r = read_file({pcap_header(kLittle, kNano, 1), pcap_packet(kLittle, 5, 1'000'000'000, numbered(1, 0)),
                               pcap_packet(kLittle, 0xFFFFFFFF, 0xFFFFFFFF, numbered(1, 0)),
                               pcap_packet(kLittle, 0, 0, numbered(1, 0))});
  REQUIRE(r.frames.size() == 3);
  CHECK(r.frames[0].time == 6'000'000'000);
  CHECK(r.frames[1].time == 4'294'967'295'000'000'000 + 4'294'967'295);
  CHECK(r.frames[2].time == 0);
}

TEST_CASE("a capture without packets is fine") {
  CHECK(read_file({pcap_header(kLittle, kMicro, 1)}).failure.empty());
  CHECK(read_file({section(kBig)}).failure.empty());
  CHECK(read_file({section(kBig), interface_block(kBig, 1)}).failure.empty());
}

TEST_CASE("a packet that the host sent is marked where the cooked header says so") {
  Octets sll(16, 0);
  sll[1] = 4;
  Octets sll2(20, 0);
  sll2[10] = 4;
  CHECK(read_file({pcap_header(kLittle, kMicro, 113), pcap_packet(kLittle, 1, 0, sll)}).frames.at(0).outgoing);
  CHECK(read_file({pcap_header(kLittle, kMicro, 276), pcap_packet(kLittle, 1, 0, sll2)}).frames.at(0).outgoing);
  CHECK_FALSE(
      read_file({pcap_header(kLittle, kMicro, 113), pcap_packet(kLittle, 1, 0, Octets(16, 0))}).frames.at(0).outgoing);
  CHECK_FALSE(
      read_file({pcap_header(kLittle, kMicro, 276), pcap_packet(kLittle, 1, 0, Octets{4})}).frames.at(0).outgoing);
}

TEST_CASE("every link type that is decoded is recognised by its number") {
  const std::vector<std::pair<std::uint32_t, LinkType>> types = {
      {0, LinkType::bsd_loopback}, {1, LinkType::ethernet},       {12, LinkType::raw_ip},     {14, LinkType::raw_ip},
      {101, LinkType::raw_ip},     {108, LinkType::bsd_loopback}, {113, LinkType::linux_sll}, {228, LinkType::raw_ip},
      {229, LinkType::raw_ip},     {276, LinkType::linux_sll2}};
  for (const auto& [number, link] : types)
    CHECK(read_file({pcap_header(kBig, kMicro, number), pcap_packet(kBig, 1, 0, numbered(40, 0))}).frames.at(0).link ==
          link);
  // The upper bits tell the length of a frame check sequence.
  CHECK(read_file({pcap_header(kBig, kMicro, 0x4400'0001), pcap_packet(kBig, 1, 0, numbered(40, 0))}).frames.size() ==
        1);
}

TEST_CASE("pcapng sections have their own byte order, interfaces and units") {
  const Octets nanoseconds = option(kBig, 9, {9});
  const Octets binary = joined({option(kLittle, 9, {0x80 | 10}), option(kLittle, 14, {10, 0, 0, 0, 0, 0, 0, 0})});
  const Reading r = read_file({
      section(kBig),
      interface_block(kBig, 1),
      interface_block(kBig, 101, 0, nanoseconds),
      enhanced_packet(kBig, 0, 5'000'001, numbered(14, 0)),
      enhanced_packet(kBig, 1, 5'000'000'007, numbered(21, 1), 99),
      block(kBig, 5, numbered(16, 0)),          // interface statistics: stepped over
      block(kBig, 0x40000BAD, numbered(5, 0)),  // custom
      section(kLittle),
      interface_block(kLittle, 113, 0, binary),
      obsolete_packet(kLittle, 0, 1'536, numbered(17, 0)),
  });
  CHECK(r.failure.empty());
  REQUIRE(r.frames.size() == 3);
  CHECK(r.frames[0].time == 5'000'001'000);
  CHECK(r.frames[0].link == LinkType::ethernet);
  CHECK(r.frames[0].octets == numbered(14, 0));
  CHECK(r.frames[1].time == 5'000'000'007);
  CHECK(r.frames[1].link == LinkType::raw_ip);
  CHECK(r.frames[1].octets == numbered(21, 1));
  CHECK(r.frames[1].wire == 99);
  CHECK(r.frames[2].time == 11'500'000'000);
  CHECK(r.frames[2].link == LinkType::linux_sll);
}

TEST_CASE("a simple packet is cut at its interface's snap length and borrows the stamp before it") {
  const Reading r = read_file({section(kLittle), interface_block(kLittle, 1, 20),
                               enhanced_packet(kLittle, 0, 3'000'000, numbered(20, 0)),
                               simple_packet(kLittle, numbered(20, 5), 60), simple_packet(kLittle, numbered(7, 5), 7)});
  REQUIRE(r.frames.size() == 3);
  CHECK(r.frames[1].octets == numbered(20, 5));
  CHECK(r.frames[1].wire == 60);
  CHECK(r.frames[1].time == 3'000'000'000);
  CHECK(r.frames[2].octets == numbered(7, 5));
}

TEST_CASE("pcapng flags mark outbound packets") {
  const Reading r = read_file({section(kBig), interface_block(kBig, 1),
                               enhanced_packet(kBig, 0, 1, numbered(14, 0), 0, option(kBig, 2, {0, 0, 0, 2})),
                               enhanced_packet(kBig, 0, 1, numbered(13, 0), 0, option(kBig, 2, {0, 0, 0, 1}))});
  REQUIRE(r.frames.size() == 2);
  CHECK(r.frames[0].outgoing);
  CHECK_FALSE(r.frames[1].outgoing);
}

TEST_CASE("packets of an interface that is not decoded are counted and named at the end") {
  const Reading r =
      read_file({section(kLittle), interface_block(kLittle, 1), interface_block(kLittle, 105),
                 enhanced_packet(kLittle, 1, 1, numbered(30, 0)), enhanced_packet(kLittle, 0, 2, numbered(30, 0)),
                 enhanced_packet(kLittle, 1, 3, numbered(30, 0))});
  CHECK(r.frames.size() == 1);
  CHECK(r.received == 3);
  CHECK(r.unsupported == 2);
  CHECK(contains(r.failure, "2 packets left out: LINKTYPE 105 (IEEE802_11) is not decoded"));
}

TEST_CASE("what precedes damage is delivered, and the line names file and octet") {
  const Octets good = pcap_packet(kLittle, 1, 0, numbered(60, 0));
  SUBCASE("cut inside a packet") {
    Octets cut = good;
    cut.resize(cut.size() - 1);
    const Reading r = read_file({pcap_header(kLittle, kMicro, 1), good, cut});
    CHECK(r.frames.size() == 1);
    CHECK(contains(r.failure, "cut short inside a packet that begins at octet 100"));
    CHECK(contains(r.failure, "capture_test."));
  }
  SUBCASE("cut inside a packet's header") {
    const Reading r = read_file({pcap_header(kLittle, kMicro, 1), good, Octets(15, 0)});
    CHECK(r.frames.size() == 1);
    CHECK(contains(r.failure, "cut short inside a packet's header that begins at octet 100"));
  }
  SUBCASE("garbage length") {
    FileWriter bad{kLittle};
    bad.put(std::uint64_t{0}).put(std::uint32_t{262'145}).put(std::uint32_t{262'145}).put(Octets(300'000, 0));
    const Reading r = read_file({pcap_header(kLittle, kMicro, 1), good, good, bad.octets()});
    CHECK(r.frames.size() == 2);
    CHECK(contains(r.failure, "damaged at octet 176"));
  }
  SUBCASE("pcapng: the two lengths of a block differ") {
    Octets bad = enhanced_packet(kLittle, 0, 1, numbered(60, 0));
    bad[bad.size() - 4] ^= 4;
    const Octets head =
        joined({section(kLittle), interface_block(kLittle, 1), enhanced_packet(kLittle, 0, 1, numbered(60, 0))});
    const Reading r = read_file({head, bad});
    CHECK(r.frames.size() == 1);
    CHECK(contains(r.failure, "damaged at octet " + std::to_string(head.size())));
  }
  SUBCASE("pcapng: cut inside a block") {
    Octets cut = enhanced_packet(kLittle, 0, 1, numbered(60, 0));
    cut.resize(50);
    const Reading r = read_file(
        {section(kLittle), interface_block(kLittle, 1), enhanced_packet(kLittle, 0, 1, numbered(60, 0)), cut});
    CHECK(r.frames.size() == 1);
    CHECK(contains(r.failure, "cut short inside a block"));
  }
  SUBCASE("pcapng: a packet of an interface that was not described") {
    const Reading r =
        read_file({section(kLittle), interface_block(kLittle, 1), enhanced_packet(kLittle, 1, 1, numbered(60, 0))});
    CHECK(r.frames.empty());
    CHECK(contains(r.failure, "interface was not described"));
  }
  SUBCASE("pcapng: captured length beyond the block") {
    FileWriter body{kLittle};
    body.put(std::uint32_t{0}).put(std::uint64_t{0}).put(std::uint32_t{61}).put(std::uint32_t{61}).put(numbered(60, 0));
    const Reading r = read_file({section(kLittle), interface_block(kLittle, 1), block(kLittle, 6, body.octets())});
    CHECK(r.frames.empty());
    CHECK(contains(r.failure, "length is absurd"));
  }
}

TEST_CASE("any octet of a capture may be wrong and any end may be missing") {
  const std::vector<Octets> captures = {
      joined({pcap_header(kLittle, kMicro, 1), pcap_packet(kLittle, 1, 0, ip_frame(kTcp, 80)),
              pcap_packet(kLittle, 2, 0, ip_frame(kUdp, 53))}),
      joined({section(kBig), interface_block(kBig, 1, 0, option(kBig, 9, {9})),
              enhanced_packet(kBig, 0, 1, ip_frame(kTcp, 80), 0, option(kBig, 2, {0, 0, 0, 2})),
              simple_packet(kBig, numbered(9, 0), 9), obsolete_packet(kBig, 0, 1, numbered(9, 0))})};
  for (const auto& capture : captures) {
    for (std::size_t at = 0; at < capture.size(); ++at) {
      for (const auto value : Octets{0x00, 0x7F, 0xFF}) {
        Octets damaged = capture;
        damaged[at] = value;
        const TemporaryFile file{damaged};
        try {
          FileSource source{FileSettings{file.path(), {}}};
          (void)read_all(source);
        } catch (const StartError& error) {
          CHECK(error.status() == ExitStatus::failure);
        }
      }
      const TemporaryFile file{Octets(capture.begin(), capture.begin() + static_cast<std::ptrdiff_t>(at))};
      try {
        FileSource source{FileSettings{file.path(), {}}};
        (void)read_all(source);
      } catch (const StartError&) {
      }
    }
  }
}

TEST_CASE("packets survive the ends of the read buffer") {
  // Sizes that share no factor with the buffer; together several buffers long; one packet of the largest size.
  std::vector<Octets> parts{pcap_header(kBig, kNano, 1)};
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < 3'000; ++i) sizes.push_back(17 + i * 37 % 1'499);
  sizes[1'500] = 262'144;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    parts.push_back(
        pcap_packet(kBig, 1, static_cast<std::uint32_t>(i), numbered(sizes[i], static_cast<std::uint8_t>(i))));
  const Reading r = read_file(parts);
  REQUIRE(r.frames.size() == sizes.size());
  bool equal = true;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    equal = equal && r.frames[i].time == 1'000'000'000 + static_cast<std::int64_t>(i) &&
            r.frames[i].octets == numbered(sizes[i], static_cast<std::uint8_t>(i));
  CHECK(equal);
  CHECK(r.failure.empty());
}

TEST_CASE("a capture arrives through a pipe in pieces") {
  const TemporaryFile place{Octets{}};
  const std::string path = place.path() + ".fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const Octets capture = joined({pcap_header(kLittle, kMicro, 1), pcap_packet(kLittle, 1, 0, numbered(60, 0)),
                                 pcap_packet(kLittle, 2, 0, numbered(60, 9))});
  {
    std::jthread writer{[&] {
      const int fd = ::open(path.c_str(), O_WRONLY);
      for (std::size_t at = 0; at < capture.size(); at += 7) {
        if (::write(fd, capture.data() + at, std::min<std::size_t>(7, capture.size() - at)) < 0) break;
        std::this_thread::yield();
      }
      ::close(fd);
    }};
    FileSource source{FileSettings{path, {}}};
    const Reading r = read_all(source);
    CHECK(r.frames.size() == 2);
    CHECK(r.failure.empty());
  }
  ::unlink(path.c_str());
}

TEST_CASE("a read of a stream in which nothing matches returns after a bounded amount of work") {
  std::vector<Octets> pcap = {pcap_header(kLittle, kMicro, 1)},
                      pcapng = {section(kLittle), interface_block(kLittle, 1)};
  const Octets packet = pcap_packet(kLittle, 1, 0, ip_frame(kUdp, 53));
  const std::size_t packets = 3 * FileSource::kMostOctetsARead / packet.size();
  for (std::size_t i = 0; i < packets; ++i) pcap.push_back(packet);
  const Octets other = block(kLittle, 0xBAD, Octets(64));
  for (std::size_t octets = 0; octets < 3 * FileSource::kMostOctetsARead; octets += other.size())
    pcapng.push_back(other);
  for (const auto& capture : {pcap, pcapng}) {
    const TemporaryFile file{capture};
    FileSource source{FileSettings{file.path(), "tcp"}};
    int reads = 1;
    while (!source.read().end) ++reads;
    CHECK(reads >= 3);
    CHECK(source.counters().packets_filtered.get() ==
          (&capture == &pcapng ? 0 : source.counters().packets_received.get()));

    FileSource stopped{FileSettings{file.path(), "tcp"}};
    CHECK_FALSE(stopped.read().end);
    stopped.stop();
    CHECK(stopped.read().end);
    CHECK(stopped.failure().empty());
    CHECK(stopped.counters().packets_received.get() <= packets / 2);
  }
}

TEST_CASE("a stop interrupts the wait for a silent pipe") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd reading{ends[0]}, writing{ends[1]};
  const Octets header = pcap_header(kLittle, kMicro, 1);
  REQUIRE(::write(writing.get(), header.data(), header.size()) == static_cast<ssize_t>(header.size()));
  FileSource source{FileSettings{"/proc/self/fd/" + std::to_string(ends[0]), {}}};
  source.stop();
  CHECK(source.read().end);
}

TEST_CASE("a FIFO waits for its writer, and can be left before there is one") {
  const std::string path = "/tmp/file_source_test." + std::to_string(::getpid());
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const UniqueFd cancel{::eventfd(0, EFD_CLOEXEC)};
  std::thread canceller{[&] { ::eventfd_write(cancel.get(), 1); }};
  std::string line;
  try {
    const FileSource source{FileSettings{.path = path, .bpf_filter = {}, .cancel_fd = cancel.get()}};
  } catch (const StartError& error) {
    line = error.what();
  }
  canceller.join();
  CHECK(contains(line, "stopped before the capture began"));

  // Later than the reader, and with a pause that is longer than one wait of the reader.
  std::thread writer{[&] {
    const UniqueFd fifo{::open(path.c_str(), O_WRONLY)};
    std::this_thread::sleep_for(std::chrono::milliseconds{150});
    const Octets capture = joined({pcap_header(kLittle, kMicro, 1), pcap_packet(kLittle, 1, 0, numbered(30, 1))});
    CHECK(::write(fifo.get(), capture.data(), capture.size()) == static_cast<ssize_t>(capture.size()));
  }};
  FileSource source{FileSettings{path, {}}};
  const Reading reading = read_all(source);
  writer.join();
  CHECK(reading.frames.size() == 1);
  CHECK(reading.failure.empty());
  ::unlink(path.c_str());
}

TEST_CASE("what cannot be opened is refused in one clear line") {
  CHECK(contains(refusal("/nonexistent/x.pcap").line, "no such capture file"));
  CHECK(contains(refusal("/tmp").line, "is a directory"));
  CHECK(contains(refusal_of({Octets{}}).line, "is empty"));
  CHECK(contains(refusal_of({Octets{'h', 'e', 'l', 'l', 'o'}}).line, "is not a pcap or pcapng capture"));
  CHECK(contains(refusal_of({Octets{1}}).line, "is not a pcap or pcapng capture"));
  CHECK(contains(refusal_of({Octets{0x1F, 0x8B, 8, 0}}).line, "zcat "));
  CHECK(contains(refusal_of({Octets{0x1F, 0x8B, 8, 0}}).line, " | chompy-probe --read -"));
  CHECK(contains(refusal_of({Octets{0x28, 0xB5, 0x2F, 0xFD}}).line, "zstd"));
  CHECK(contains(refusal_of({Octets{0xD4, 0xC3, 0xB2, 0xA1, 2, 0}}).line, "cut short inside its header"));
  CHECK(contains(refusal_of({pcap_header(kLittle, kMicro, 105)}).line, "LINKTYPE 105 (IEEE802_11) is not decoded"));
  CHECK(contains(refusal_of({pcap_header(kLittle, kMicro, 60'000)}).line, "LINKTYPE 60000 is not decoded"));
  CHECK(contains(
      refusal_of({section(kLittle), interface_block(kLittle, 127), enhanced_packet(kLittle, 0, 1, numbered(9, 0))})
          .line,
      "LINKTYPE 127"));
  CHECK(refusal_of({pcap_header(kLittle, kMicro, 105)}).status == ExitStatus::failure);
  CHECK_FALSE(contains(refusal("/nonexistent/x.pcap").line, "\n"));
}

TEST_CASE("a filter lets through what it matches and the rest is counted") {
  const std::vector<Octets> capture = {pcap_header(kLittle, kMicro, 1), pcap_packet(kLittle, 1, 0, ip_frame(kTcp, 80)),
                                       pcap_packet(kLittle, 2, 0, ip_frame(kUdp, 53)),
                                       pcap_packet(kLittle, 3, 0, ip_frame(kTcp, 80, true)),
                                       pcap_packet(kLittle, 4, 0, ip_frame(kUdp, 123))};
  Reading r = read_file(capture, "udp port 53");
  REQUIRE(r.frames.size() == 1);
  CHECK(r.frames[0].time == 2'000'000'000);
  CHECK(r.received == 4);
  CHECK(r.filtered == 3);
  CHECK(read_file(capture, "tcp").frames.size() == 1);  // as tcpdump -r: a tag hides what is behind it
  CHECK(read_file(capture, "vlan 100 and tcp").frames.size() == 1);
  CHECK(read_file(capture, "vlan 7").frames.empty());
}

TEST_CASE("a filter is compiled for each link type of a pcapng file") {
  const Octets ethernet = ip_frame(kUdp, 53);
  const Octets raw(ethernet.begin() + 14, ethernet.end());
  const Reading r = read_file({section(kLittle), interface_block(kLittle, 1), interface_block(kLittle, 101),
                               enhanced_packet(kLittle, 0, 1, ethernet), enhanced_packet(kLittle, 1, 2, raw),
                               enhanced_packet(kLittle, 1, 3, numbered(40, 0x45))},
                              "udp port 53");
  CHECK(r.frames.size() == 2);
  CHECK(r.filtered == 1);
}

TEST_CASE("a filter that does not compile for a file is refused with status 78") {
  const Refusal wrong = refusal_of({pcap_header(kLittle, kMicro, 1)}, "tcp prot 80");
  CHECK(wrong.status == ExitStatus::configuration);
  CHECK(contains(wrong.line, "tcp prot 80"));
  CHECK_FALSE(contains(wrong.line, "\n"));
  // There is no VLAN behind a loopback header.
  CHECK(refusal_of({section(kLittle), interface_block(kLittle, 0)}, "vlan").status == ExitStatus::configuration);
}

TEST_CASE("an interface for which the filter does not compile ends a pcapng file where it is described") {
  const Reading r = read_file(
      {section(kLittle), interface_block(kLittle, 1), enhanced_packet(kLittle, 0, 1, ip_frame(kTcp, 80, true)),
       interface_block(kLittle, 0), enhanced_packet(kLittle, 1, 1, numbered(40, 0))},
      "vlan");
  CHECK(r.frames.size() == 1);
  CHECK(r.received == 1);
  CHECK(contains(r.failure, "filter \"vlan\""));
}

TEST_CASE("a loopback capture of another byte order is filtered rightly") {
  const Octets ethernet = ip_frame(kUdp, 53);
  for (const Endian endian : {kLittle, kBig}) {
    FileWriter frame{endian};
    frame.put(std::uint32_t{2}).put(Octets(ethernet.begin() + 14, ethernet.end()));  // AF_INET
    CHECK(read_file({pcap_header(endian, kMicro, 0), pcap_packet(endian, 1, 0, frame.octets())}, "udp port 53")
              .frames.size() == 1);
  }
}
