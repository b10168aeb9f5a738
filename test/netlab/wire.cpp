// SPDX-License-Identifier: Apache-2.0
// netlab_wire: the wire of the network laboratory.  Makes one TAP interface in each of three network namespaces,
// client, tap and server, carries frames between client and server, and gives the tap a copy of each at the point where
// a probe would stand: behind what spoils frames before it, and before what spoils them after it.
//
//   netlab_wire CLIENT_NS TAP_NS SERVER_NS [--seed N] [--log FILE] [LEG:NAME=VALUE[,NAME=VALUE]...]...
//
// A leg is client-tap, tap-server, server-tap or tap-client.  What it can do, each 0 unless said:
//   delay_us, jitter_us     every frame waits delay_us, and up to jitter_us more; the order stays
//   loss, data_loss, ack_loss   percent of all segments, of those with payload, of those with nothing but an ACK
//   drop_data=3+7           the third and the seventh segment with payload on this leg
//   drop_syn, drop_fin      the first so many segments with this flag
//   reorder, hold_us        percent of segments with payload that wait hold_us more and may be overtaken
//   duplicate               percent of segments with payload that go out twice
//   dark_after, dark_us     nothing passes for dark_us, from the so-manieth segment with payload on
//   mark                    percent of segments of an ECN-capable transport that get Congestion Experienced
//   rate_kbps, queue        a bottleneck with room for so many frames
//   first_only              what goes by percent or number spares segments that were sent before
//
// Ready when it says "ready"; ends with its standard input and prints then, as one line of JSON, what it did and what
// it knows.  It knows what no probe can: it sees every frame leave its host, before anything is lost, so whether a
// segment was sent before is a matter of fact here.  Only TCP over IPv4 or IPv6 without extension headers is counted
// and spoilt; everything else is carried alone.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using std::chrono::microseconds;

constexpr std::array<std::string_view, 4> kLegNames = {"client-tap", "tap-server", "server-tap", "tap-client"};
constexpr std::array<const char*, 3> kInterfaces = {"wolclient", "woltap", "wolserver"};
constexpr unsigned kClient = 0, kTap = 1, kServer = 2;
constexpr std::size_t kFrameMax = 65'600;
constexpr unsigned kBurst = 64;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "netlab_wire: %s\n", what.c_str());
  std::exit(1);
}
[[noreturn]] void fail_with_errno(const std::string& what) { fail(what + ": " + std::strerror(errno)); }

std::uint32_t be(const std::uint8_t* at, unsigned octets) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < octets; ++i) value = (value << 8U) | at[i];
  return value;
}

// ---- what a frame is

struct Segment {
  std::string connection;  // addresses and ports of this direction
  std::uint32_t seq = 0;
  std::uint32_t payload = 0;
  std::uint8_t flags = 0;

  [[nodiscard]] bool fin() const { return (flags & 0x01U) != 0; }
  [[nodiscard]] bool syn() const { return (flags & 0x02U) != 0; }
  [[nodiscard]] bool only_ack() const { return payload == 0 && (flags & 0x07U) == 0; }
  [[nodiscard]] std::uint32_t sequence_length() const { return payload + (fin() ? 1U : 0U) + (syn() ? 1U : 0U); }
};

std::optional<Segment> segment_of(const std::vector<std::uint8_t>& frame) {
  if (frame.size() < 14 + 20 + 20) return std::nullopt;
  const std::uint8_t* ip = frame.data() + 14;
  const std::uint32_t type = be(frame.data() + 12, 2);
  std::size_t header = 0, whole = 0, addresses = 0, address_octets = 0;
  if (type == 0x0800 && ip[9] == 6 && (be(ip + 6, 2) & 0x3FFFU) == 0) {
    header = std::size_t{4} * (ip[0] & 15U), whole = be(ip + 2, 2), addresses = 12, address_octets = 8;
  } else if (type == 0x86DD && ip[6] == 6) {
    header = 40, whole = 40 + be(ip + 4, 2), addresses = 8, address_octets = 32;
  } else {
    return std::nullopt;
  }
  if (14 + whole > frame.size() || header + 20 > whole) return std::nullopt;
  const std::uint8_t* tcp = ip + header;
  const std::size_t tcp_header = std::size_t{4} * (tcp[12] >> 4U);
  if (tcp_header < 20 || header + tcp_header > whole) return std::nullopt;
  Segment segment;
  segment.connection.assign(ip + addresses, ip + addresses + address_octets);
  segment.connection.append(tcp, tcp + 4);
  segment.seq = be(tcp + 4, 4);
  segment.payload = static_cast<std::uint32_t>(whole - header - tcp_header);
  segment.flags = tcp[13];
  return segment;
}

// Sequence numbers that were passed over.
struct Gap {
  std::uint32_t from = 0, to = 0;
  Time opened;

  [[nodiscard]] bool holds(std::uint32_t seq) const { return seq - from < to - from; }
};

// RFC 3168: the ECN field of the IP header.
unsigned ecn(const std::vector<std::uint8_t>& frame) {
  return be(frame.data() + 12, 2) == 0x0800 ? frame[15] & 3U : (frame[15] >> 4U) & 3U;
}

// Congestion Experienced; the header checksum of IPv4 is brought up to date (RFC 1624).
void mark(std::vector<std::uint8_t>& frame) {
  if (be(frame.data() + 12, 2) != 0x0800) {
    frame[15] |= 0x30U;
    return;
  }
  const std::uint32_t before = be(frame.data() + 14, 2);
  frame[15] |= 3U;
  std::uint32_t sum = (~be(frame.data() + 24, 2) & 0xFFFFU) + (~before & 0xFFFFU) + be(frame.data() + 14, 2);
  sum = (sum & 0xFFFFU) + (sum >> 16U);
  sum = ~((sum & 0xFFFFU) + (sum >> 16U));
  frame[24] = static_cast<std::uint8_t>(sum >> 8U);
  frame[25] = static_cast<std::uint8_t>(sum);
}

// The highest sequence number so far, of every connection that passed here.
class Highest {
 public:
  [[nodiscard]] std::optional<Gap> gap_before(const Segment& segment, Time now) const {
    const auto known = ends_.find(segment.connection);
    if (known == ends_.end() || static_cast<std::int32_t>(segment.seq - known->second) <= 0) return std::nullopt;
    return Gap{known->second, segment.seq, now};
  }
  // Whether the segment begins below it; takes it in.
  bool is_below(const Segment& segment) {
    const std::uint32_t end = segment.seq + segment.sequence_length();
    const auto [known, is_new] = ends_.try_emplace(segment.connection, end);
    const bool below = !is_new && static_cast<std::int32_t>(segment.seq - known->second) < 0;
    if (static_cast<std::int32_t>(end - known->second) > 0) known->second = end;
    return below;
  }

 private:
  std::map<std::string, std::uint32_t> ends_;
};

struct Frame {
  std::vector<std::uint8_t> octets;
  std::optional<Segment> segment;
  std::uint64_t number = 0;  // the order in which its host sent
  bool sent_before = false;  // its host sent these octets, SYN or FIN before
  bool copy = false;         // this wire made it
};

// ---- what a leg does

struct LegSettings {
  std::map<std::string, double, std::less<>> values;
  std::set<std::uint64_t> drop_data;

  [[nodiscard]] double get(std::string_view name) const {
    const auto found = values.find(name);
    return found == values.end() ? 0 : found->second;
  }
  [[nodiscard]] microseconds time(std::string_view name) const {
    return microseconds{static_cast<std::int64_t>(get(name))};
  }
};

template <typename T>
T number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < T{})
    fail("not a number: '" + std::string{text} + "'");
  return value;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

LegSettings read_leg(std::string_view text) {
  static const std::set<std::string_view> names = {
      "delay_us", "jitter_us", "loss",       "data_loss", "ack_loss",  "drop_syn", "drop_fin",   "reorder",
      "hold_us",  "duplicate", "dark_after", "dark_us",   "rate_kbps", "queue",    "first_only", "mark"};
  LegSettings settings;
  for (const auto item : split(text, ',')) {
    const auto equals = item.find('=');
    const auto name = item.substr(0, equals);
    if (equals == std::string_view::npos) fail("no value: '" + std::string{item} + "'");
    const auto value = item.substr(equals + 1);
    if (name == "drop_data") {
      for (const auto one : split(value, '+')) settings.drop_data.insert(number<std::uint64_t>(one));
    } else if (names.contains(name)) {
      settings.values[std::string{name}] = number<double>(value);
    } else {
      fail("no such setting of a leg: '" + std::string{name} + "'");
    }
  }
  return settings;
}

enum class Fate { pass, lose, hold, twice };

class Leg {
 public:
  void set(LegSettings settings) {
    settings_ = std::move(settings);
    dark_after_ = static_cast<std::uint64_t>(settings_.get("dark_after"));
  }
  void seed(std::uint64_t seed) {
    random_.seed(seed);
    jitter_.seed(seed + 1'000'000);
    marking_.seed(seed + 2'000'000);
  }

  // As many draws for every frame, so that the n-th frame has the same fate however the others fared.
  Fate decide(const Frame& frame, Time now) {
    const double lose = percent_(random_), late = percent_(random_), twice = percent_(random_);
    if (!frame.segment) return Fate::pass;
    const Segment& segment = *frame.segment;
    if (segment.payload > 0 && ++data_ == dark_after_) dark_until_ = now + settings_.time("dark_us");
    const bool dark = dark_until_ && now < *dark_until_;
    if (dark || flag_lost(segment)) return Fate::lose;
    if (frame.sent_before && settings_.get("first_only") > 0) return Fate::pass;
    double chance = settings_.get("loss");
    if (segment.payload > 0) chance += settings_.get("data_loss");
    if (segment.only_ack()) chance += settings_.get("ack_loss");
    if (lose < chance) return Fate::lose;
    if (segment.payload == 0) return Fate::pass;
    if (settings_.drop_data.contains(data_)) return Fate::lose;
    if (late < settings_.get("reorder")) return Fate::hold;
    return twice < settings_.get("duplicate") ? Fate::twice : Fate::pass;
  }

  // When the frame is at the other end; nothing if the bottleneck has no room for it.
  std::optional<Time> arrival(std::size_t octets, Time now, bool hold) {
    Time sent = now;
    if (const double rate = settings_.get("rate_kbps"); rate > 0) {
      if (static_cast<double>(waiting_) >= settings_.get("queue")) return std::nullopt;
      sent =
          std::max(now, free_at_) + microseconds{static_cast<std::int64_t>(static_cast<double>(octets) * 8e3 / rate)};
      free_at_ = sent;
    }
    ++waiting_;
    const double jitter = settings_.get("jitter_us") * percent_(jitter_) / 100;
    const Time due =
        std::max(last_, sent + settings_.time("delay_us") + microseconds{static_cast<std::int64_t>(jitter)});
    if (hold) return due + settings_.time("hold_us");
    last_ = due;
    return due;
  }
  void arrived() { --waiting_; }
  bool marks(const Frame& frame) {
    const bool drawn = percent_(marking_) < settings_.get("mark");
    return drawn && frame.segment && ecn(frame.octets) != 0;
  }
  [[nodiscard]] Clock::duration delay() const { return settings_.time("delay_us"); }

 private:
  bool flag_lost(const Segment& segment) {
    if (segment.syn() && syns_lost_ < settings_.get("drop_syn")) return ++syns_lost_ > 0;
    if (segment.fin() && fins_lost_ < settings_.get("drop_fin")) return ++fins_lost_ > 0;
    return false;
  }

  LegSettings settings_;
  std::mt19937_64 random_, jitter_, marking_;
  std::uniform_real_distribution<double> percent_{0, 100};
  std::uint64_t data_ = 0, dark_after_ = 0, waiting_ = 0;
  unsigned syns_lost_ = 0, fins_lost_ = 0;
  std::optional<Time> dark_until_;
  Time free_at_, last_;
};

// ---- what is known of one direction

struct Direction {
  Highest at_host, at_tap;
  std::uint64_t last_at_tap = 0;        // number of the frame sent last of those that passed
  std::optional<Gap> gap;               // the youngest at the tap
  std::uint64_t segments = 0;           // left their host
  std::uint64_t sent_before = 0;        // of these: not for the first time
  std::uint64_t lost_before = 0;        // between host and tap
  std::uint64_t lost_after = 0;         // between tap and the other host
  std::uint64_t again_lost_before = 0;  // of those lost before: not sent for the first time
  std::uint64_t held = 0, doubled = 0;
  std::uint64_t tap_segments = 0;     // passed the tap, copies included
  std::uint64_t tap_copies = 0;       // copies among them
  std::uint64_t tap_marked = 0;       // with Congestion Experienced among them
  std::uint64_t tap_again_below = 0;  // sent before, begin below the highest number that passed: visible repeats
  std::uint64_t tap_again_above = 0;  // sent before, but what they repeat and all behind it never passed
  std::uint64_t tap_again_late = 0;   // of the visible repeats: themselves overtaken by what was sent later
  std::uint64_t tap_again_young = 0;  // of the visible repeats: hard upon the segment that opened their gap
  std::uint64_t tap_overtaken = 0;    // sent once, begin below the highest number that passed: reordered
  std::uint64_t undelivered = 0;      // an interface did not take them
};

struct Event {
  Time due;
  std::uint64_t order = 0;
  unsigned leg = 0;
  Frame frame;
};
struct Later {
  bool operator()(const Event& a, const Event& b) const { return a.due != b.due ? a.due > b.due : a.order > b.order; }
};

class Wire {
 public:
  Wire(const std::array<int, 3>& taps, std::FILE* log) : taps_{taps}, log_{log} {}

  Leg& leg(std::size_t i) { return legs_[i]; }

  void run() {
    // One tick of a sender's clock, or what is surely less than a round trip.
    Clock::duration around{};
    for (const Leg& leg : legs_) around += leg.delay();
    young_ = std::min<Clock::duration>(std::chrono::milliseconds{1}, around * 3 / 4);
    while (true) {
      deliver();
      std::array<pollfd, 3> wait{{{taps_[kClient], POLLIN, 0}, {taps_[kServer], POLLIN, 0}, {0, POLLIN | POLLHUP, 0}}};
      const timespec left = until_next();
      if (ppoll(wait.data(), wait.size(), events_.empty() ? nullptr : &left, nullptr) < 0 && errno != EINTR)
        fail_with_errno("ppoll");
      if ((wait[0].revents & POLLIN) != 0) take_from(kClient);
      if ((wait[1].revents & POLLIN) != 0) take_from(kServer);
      if (wait[2].revents != 0) return;
    }
  }

  void print() const {
    std::printf("{");
    for (unsigned i = 0; i < 2; ++i) {
      const Direction& d = directions_[i];
      const std::array<std::pair<const char*, std::uint64_t>, 16> values{{{"segments", d.segments},
                                                                          {"sent_before", d.sent_before},
                                                                          {"lost_before", d.lost_before},
                                                                          {"lost_after", d.lost_after},
                                                                          {"again_lost_before", d.again_lost_before},
                                                                          {"held", d.held},
                                                                          {"doubled", d.doubled},
                                                                          {"tap_segments", d.tap_segments},
                                                                          {"tap_copies", d.tap_copies},
                                                                          {"tap_marked", d.tap_marked},
                                                                          {"tap_again_below", d.tap_again_below},
                                                                          {"tap_again_above", d.tap_again_above},
                                                                          {"tap_again_late", d.tap_again_late},
                                                                          {"tap_again_young", d.tap_again_young},
                                                                          {"tap_overtaken", d.tap_overtaken},
                                                                          {"undelivered", d.undelivered}}};
      std::printf("%s\"%s\": {", i > 0 ? ", " : "", i == 0 ? "client" : "server");
      for (std::size_t v = 0; v < values.size(); ++v)
        std::printf("%s\"%s\": %llu", v > 0 ? ", " : "", values[v].first,
                    static_cast<unsigned long long>(values[v].second));
      std::printf("}");
    }
    std::printf("}\n");
  }

 private:
  static bool before_tap(unsigned leg) { return leg % 2 == 0; }
  Direction& direction(unsigned leg) { return directions_[leg / 2]; }

  [[nodiscard]] timespec until_next() const {
    if (events_.empty()) return {};
    const auto left = std::max(Clock::duration{}, events_.top().due - Clock::now());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    return {static_cast<time_t>(seconds.count()), static_cast<long>(std::chrono::nanoseconds{left - seconds}.count())};
  }

  void take_from(unsigned host) {
    const unsigned leg = host == kClient ? 0 : 2;
    for (unsigned i = 0; i < kBurst; ++i) {
      const auto octets = read(taps_[host], buffer_.data(), buffer_.size());
      if (octets <= 0) return;
      Frame frame;
      frame.octets.assign(buffer_.begin(), buffer_.begin() + octets);
      frame.segment = segment_of(frame.octets);
      if (frame.segment) {
        frame.number = ++direction(leg).segments;
        if (frame.segment->sequence_length() > 0) frame.sent_before = direction(leg).at_host.is_below(*frame.segment);
        direction(leg).sent_before += frame.sent_before ? 1U : 0U;
      }
      enter(leg, std::move(frame), Clock::now());
    }
  }

  void enter(unsigned leg, Frame frame, Time now) {
    Direction& d = direction(leg);
    const Fate fate = legs_[leg].decide(frame, now);
    if (legs_[leg].marks(frame)) mark(frame.octets);
    std::optional<Time> due;
    if (fate != Fate::lose) due = legs_[leg].arrival(frame.octets.size(), now, fate == Fate::hold);
    note(leg, frame, !due ? "lost" : fate == Fate::hold ? "held" : fate == Fate::twice ? "doubled" : "passed", now);
    if (!due) {
      ++(before_tap(leg) ? d.lost_before : d.lost_after);
      if (before_tap(leg) && frame.sent_before) ++d.again_lost_before;
      return;
    }
    if (fate == Fate::hold) ++d.held;
    if (fate == Fate::twice) {
      ++d.doubled;
      Frame copy = frame;
      copy.copy = true;
      events_.push({*due, order_++, leg, std::move(frame)});
      if (const auto again = legs_[leg].arrival(copy.octets.size(), now, false))
        events_.push({*again, order_++, leg, std::move(copy)});
      return;
    }
    events_.push({*due, order_++, leg, std::move(frame)});
  }

  void deliver() {
    while (!events_.empty() && events_.top().due <= Clock::now()) {
      Event event = events_.top();
      events_.pop();
      legs_[event.leg].arrived();
      if (!before_tap(event.leg)) {
        write_to(event.leg == 1 ? kServer : kClient, event.leg, event.frame);
        continue;
      }
      pass_tap(event.leg, event.frame);
      // From the time after the tap had it: what the tap measures is then never shorter than what is set.
      enter(event.leg + 1, std::move(event.frame), Clock::now());
    }
  }

  void pass_tap(unsigned leg, const Frame& frame) {
    write_to(kTap, leg, frame);
    if (!frame.segment) return;
    Direction& d = direction(leg);
    ++d.tap_segments;
    if (ecn(frame.octets) == 3) ++d.tap_marked;
    if (frame.copy) {
      ++d.tap_copies;
      return;
    }
    const bool late = frame.number < d.last_at_tap;
    d.last_at_tap = std::max(d.last_at_tap, frame.number);
    const Segment& segment = *frame.segment;
    if (segment.sequence_length() == 0) return;
    const Time now = Clock::now();
    if (const auto gap = d.at_tap.gap_before(segment, now)) d.gap = gap;
    const bool below = d.at_tap.is_below(segment);
    if (!frame.sent_before) {
      if (below) ++d.tap_overtaken;
      return;
    }
    ++(below ? d.tap_again_below : d.tap_again_above);
    if (!below) return;
    if (late) ++d.tap_again_late;
    if (d.gap && d.gap->holds(segment.seq) && now - d.gap->opened < young_) ++d.tap_again_young;
  }

  void write_to(unsigned where, unsigned leg, const Frame& frame) {
    const auto written = write(taps_[where], frame.octets.data(), frame.octets.size());
    if (frame.segment && written != static_cast<ssize_t>(frame.octets.size())) ++direction(leg).undelivered;
  }

  void note(unsigned leg, const Frame& frame, const char* what, Time now) {
    if (log_ == nullptr || !frame.segment) return;
    const auto us = std::chrono::duration_cast<microseconds>(now - began_).count();
    std::fprintf(log_, "%lld\t%s\t%s\t%u\t%u\t0x%02x\t%s\n", static_cast<long long>(us), kLegNames[leg].data(), what,
                 frame.segment->seq, frame.segment->payload, unsigned{frame.segment->flags},
                 frame.copy          ? "copy"
                 : frame.sent_before ? "again"
                                     : "first");
  }

  std::array<int, 3> taps_;
  std::FILE* log_;
  Time began_ = Clock::now();
  std::array<Leg, 4> legs_;
  std::array<Direction, 2> directions_;  // of what the client sends, of what the server sends
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::uint64_t order_ = 0;
  Clock::duration young_{};
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kFrameMax);
};

// ---- start

// An interface belongs to the namespace that its maker is in.
int open_tap(int ns, const char* name) {
  if (setns(ns, CLONE_NEWNET) != 0) fail_with_errno("cannot enter a network namespace");
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail_with_errno("cannot open /dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, &request) != 0) fail_with_errno(std::string{"cannot make the interface "} + name);
  return fd;
}

std::array<int, 3> open_taps(char** namespaces) {
  std::array<int, 3> places{}, taps{};
  for (std::size_t i = 0; i < 3; ++i) {
    places[i] = open(namespaces[i], O_RDONLY | O_CLOEXEC);
    if (places[i] < 0) fail_with_errno(std::string{"cannot open "} + namespaces[i]);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    taps[i] = open_tap(places[i], kInterfaces[i]);
    close(places[i]);
  }
  return taps;
}

// Where it is allowed: a busy machine must not stretch the wire.
void be_punctual() {
  prctl(PR_SET_TIMERSLACK, 1UL);
  const sched_param priority{1};
  static_cast<void>(sched_setscheduler(0, SCHED_RR, &priority));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) fail("usage: netlab_wire CLIENT_NS TAP_NS SERVER_NS [--seed N] [--log FILE] [LEG:NAME=VALUE,...]...");
  std::uint64_t seed = 1;
  std::FILE* log = nullptr;
  std::array<LegSettings, 4> settings;
  for (int i = 4; i < argc; ++i) {
    const std::string_view argument{argv[i]};
    if ((argument == "--seed" || argument == "--log") && i + 1 < argc) {
      const char* value = argv[++i];
      if (argument == "--seed")
        seed = number<std::uint64_t>(value);
      else if (log = std::fopen(value, "we"); log == nullptr)
        fail_with_errno(value);
      continue;
    }
    const auto colon = argument.find(':');
    const auto found = std::find(kLegNames.begin(), kLegNames.end(), argument.substr(0, colon));
    if (colon == std::string_view::npos || found == kLegNames.end()) fail("not a leg: '" + std::string{argument} + "'");
    settings[static_cast<std::size_t>(found - kLegNames.begin())] = read_leg(argument.substr(colon + 1));
  }
  Wire wire{open_taps(argv + 1), log};
  for (std::size_t i = 0; i < settings.size(); ++i) {
    wire.leg(i).set(settings[i]);
    wire.leg(i).seed(seed * settings.size() + i);
  }
  be_punctual();
  std::puts("ready");
  std::fflush(stdout);
  wire.run();
  wire.print();
  if (log != nullptr) std::fclose(log);
  return 0;
}
