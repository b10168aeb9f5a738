// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/ring_source.hpp"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <optional>
#include <system_error>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"
#include "whiteowl/base/memory.hpp"
#include "whiteowl/base/wire.hpp"
#include "whiteowl/capture/fanout.hpp"
#include "whiteowl/capture/interfaces.hpp"
#include "whiteowl/capture/kept_rings.hpp"

namespace whiteowl {

namespace {

using namespace std::chrono_literals;

constexpr unsigned kRetireMilliseconds = 60;  // the kernel hands over a block that is not full after this
// By then a packet stands in a block that was handed over: the above and the timer's own lateness.
constexpr Duration kHandedOver = 100ms;
constexpr Duration kMendInterval = 100ms;  // how often a missing interface is looked for
constexpr Duration kLeaveWithin = 1s;      // a ring that is still filled by an interface which is not ours any more
constexpr Duration kObstacleLasts = 1s;    // before it is told
constexpr int kPatienceMilliseconds = 100;
constexpr std::uint32_t kFrameOctets = 2048;  // a formality of TPACKET_V3: frames are packed by their real size
constexpr std::uint32_t kLargestBlock = 1U << 20U, kSmallestBlock = 1U << 16U;
constexpr std::uint32_t kFewestBlocks = 4;
// Each holds 60 ms of a trickle: a reader that is held up for seconds loses nothing of it.
constexpr std::uint32_t kWantedBlocks = 64;
constexpr unsigned kMaxInterfaces = 64;

Timestamp real_time() noexcept { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

// Only paces the search for lost interfaces.
Duration coarse_time() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec};
}

template <typename Value>
void set(int fd, int level, int option, const Value& value, const char* name) {
  checked(::setsockopt(fd, level, option, &value, sizeof value), name);
}

UniqueFd open_packet_socket() {
  // Protocol 0: nothing arrives before the ring and the filter are in place.
  UniqueFd fd{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (fd) return fd;
  if (errno == EPERM || errno == EACCES)
    throw StartError{ExitStatus::no_permission,
                     "capturing needs CAP_NET_RAW: run with sudo, or `setcap cap_net_raw+ep` on the program, or "
                     "AmbientCapabilities=CAP_NET_RAW in its unit"};
  if (errno == EAFNOSUPPORT) throw StartError{ExitStatus::failure, "this kernel has no packet sockets (CONFIG_PACKET)"};
  throw StartError{ExitStatus::failure, std::string{"cannot open a packet socket: "} + std::strerror(errno)};
}

// --- Memory shared with the kernel ---------------------------------------------------------------------------------

// How many packets of a block have been read, for a reader that goes on in another process.  Stands in the part of the
// block that the kernel leaves alone, so what is found there may be about a block that was here before.
struct BlockProgress {
  static constexpr std::uint32_t kGivenBack = ~0U;  // the block was released
  std::uint64_t number;                             // of the block
  std::uint32_t packets;
};

// A block of the ring.  The kernel fills it, hands it over by its status and takes it back by the same.
class Block {
 public:
  explicit Block(std::byte* at) noexcept : header_{reinterpret_cast<tpacket_block_desc*>(at)} {}

  [[nodiscard]] bool ready() const noexcept { return (status().load(std::memory_order_acquire) & TP_STATUS_USER) != 0; }
  void release() noexcept { status().store(TP_STATUS_KERNEL, std::memory_order_release); }
  [[nodiscard]] std::uint32_t packets() const noexcept { return header_->hdr.bh1.num_pkts; }
  [[nodiscard]] const std::byte* first_packet() const noexcept {
    return reinterpret_cast<const std::byte*>(header_) + header_->hdr.bh1.offset_to_first_pkt;
  }
  // Rises by one with each block that the kernel begins.
  [[nodiscard]] std::uint64_t number() const noexcept { return header_->hdr.bh1.seq_num; }
  void note(std::uint32_t packets) noexcept { progress() = {number(), packets}; }
  [[nodiscard]] std::uint32_t noted() const noexcept { return progress().number == number() ? progress().packets : 0U; }
  // No packet in it is older.
  [[nodiscard]] Timestamp opened() const noexcept {
    const auto& time = header_->hdr.bh1.ts_first_pkt;
    return Timestamp{Duration{time.ts_sec * kNanosecondsPerSecond + time.ts_nsec}};
  }

 private:
  [[nodiscard]] std::atomic_ref<std::uint32_t> status() const noexcept {
    return std::atomic_ref<std::uint32_t>{header_->hdr.bh1.block_status};
  }
  [[nodiscard]] BlockProgress& progress() const noexcept {
    return *reinterpret_cast<BlockProgress*>(reinterpret_cast<std::byte*>(header_) + header_->offset_to_priv);
  }
  tpacket_block_desc* header_;
};

struct RingPlan {
  std::string interface;
  int interface_index = 0;
  RingGeometry geometry{};
  FilterProgram program;
  bool promiscuous = false;
  bool hardware_stamps = false;
  bool lock_filter = false;
  std::optional<FanoutPlan> fanout;
};

// A packet socket with its ring; constructed means capturing.
class Ring {
 public:
  // Throws StartError or std::system_error.
  explicit Ring(const RingPlan& plan);
  // Goes on with the ring of an earlier process.
  Ring(UniqueFd inherited, const RingPlan& plan);

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] int interface_index() const noexcept { return interface_index_; }
  [[nodiscard]] Block block() const noexcept { return block_at(index_); }
  void release_block() noexcept {
    block().note(BlockProgress::kGivenBack);
    block().release();
    index_ = (index_ + 1) % geometry_.blocks;
  }
  // More than half of the ring waits to be read.
  [[nodiscard]] bool crowded() const noexcept {
    return block_at((index_ + geometry_.blocks / 2) % geometry_.blocks).ready();
  }
  [[nodiscard]] std::uint32_t blocks() const noexcept { return geometry_.blocks; }

  // Lets in what the program accepts, where nothing was let in.  Throws StartError (78).
  void let_in(const FilterProgram& program);
  // Since the last call.
  [[nodiscard]] tpacket_stats_v3 take_statistics() noexcept;
  [[nodiscard]] int take_error() noexcept;
  // False once the interface that it was bound to is gone for good.
  [[nodiscard]] bool bound() const noexcept;
  // What its packets are shared out by, if they are.
  [[nodiscard]] const std::optional<Fanout>& fanout() const noexcept { return fanout_; }

 private:
  [[nodiscard]] Block block_at(std::uint32_t index) const noexcept {
    return Block{memory_.data() + std::size_t{index} * geometry_.block_octets};
  }
  void make_ring();
  void map_ring(const std::string& interface);
  [[nodiscard]] std::uint32_t first_unread() const noexcept;
  void bind_to(int interface_index);

  UniqueFd socket_;  // before memory_: unmapped first, closed after
  Mapping memory_;
  RingGeometry geometry_;
  int interface_index_;
  std::uint32_t index_ = 0;
  std::optional<Fanout> fanout_;
};

Ring::Ring(const RingPlan& plan)
    : socket_{open_packet_socket()}, geometry_{plan.geometry}, interface_index_{plan.interface_index} {
  set(fd(), SOL_PACKET, PACKET_VERSION, int{TPACKET_V3}, "PACKET_VERSION (TPACKET_V3)");
  // With both, a packet that the card did not stamp bears the kernel's stamp.
  set(fd(), SOL_PACKET, PACKET_TIMESTAMP,
      int{SOF_TIMESTAMPING_SOFTWARE | (plan.hardware_stamps ? SOF_TIMESTAMPING_RAW_HARDWARE : 0)}, "PACKET_TIMESTAMP");
  map_ring(plan.interface);
  // A group is joined only after binding (packet(7)), and a bound socket that is not yet in it would see the packets of
  // all members: each of those would be counted twice.  So nothing is let in until it is a member, and nothing ever if
  // the kernel does not take the filter.
  let_in(refuse_everything());
  if (!plan.fanout) let_in(plan.program);
  bind_to(plan.interface_index);
  if (plan.promiscuous) {
    packet_mreq request{};
    request.mr_ifindex = plan.interface_index;
    request.mr_type = PACKET_MR_PROMISC;
    set(fd(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, "PACKET_ADD_MEMBERSHIP (promiscuous mode)");
  }
  if (plan.fanout) {
    fanout_ = join_fanout(fd(), *plan.fanout, [&] { let_in(plan.program); });
  }
  if (plan.lock_filter) set(fd(), SOL_SOCKET, SO_LOCK_FILTER, int{1}, "SO_LOCK_FILTER");
}

Ring::Ring(UniqueFd inherited, const RingPlan& plan)
    : socket_{std::move(inherited)},
      memory_{fd(), plan.geometry.octets()},
      geometry_{plan.geometry},
      interface_index_{plan.interface_index},
      index_{first_unread()},
      fanout_{joined_fanout(fd())} {}

// The kernel fills blocks one after the other and waits at one that was not given back, so the newest is the one that
// it fills now, or filled last.  Blocks that were handed over stand in a row before it.
std::uint32_t Ring::first_unread() const noexcept {
  std::uint32_t newest = 0;
  for (std::uint32_t i = 1; i < geometry_.blocks; ++i) {
    if (block_at(i).number() > block_at(newest).number()) newest = i;
  }
  std::uint32_t first = newest;
  for (std::uint32_t steps = 1; steps < geometry_.blocks; ++steps) {
    const std::uint32_t before = (first + geometry_.blocks - 1) % geometry_.blocks;
    if (!block_at(before).ready() || block_at(before).number() + 1 != block_at(first).number()) break;
    first = before;
  }
  // Given back, and the kernel has not begun the next one: it stopped for want of room.
  const bool done = !block_at(first).ready() && block_at(first).noted() == BlockProgress::kGivenBack;
  return done ? (first + 1) % geometry_.blocks : first;
}

void Ring::make_ring() {
  tpacket_req3 request{};
  request.tp_block_size = geometry_.block_octets;
  request.tp_block_nr = geometry_.blocks;
  request.tp_frame_size = kFrameOctets;
  request.tp_frame_nr = geometry_.block_octets / kFrameOctets * geometry_.blocks;
  request.tp_retire_blk_tov = kRetireMilliseconds;
  request.tp_sizeof_priv = sizeof(BlockProgress);
  set(fd(), SOL_PACKET, PACKET_RX_RING, request, "PACKET_RX_RING");
}

void Ring::map_ring(const std::string& interface) {
  try {
    make_ring();
    memory_ = Mapping{fd(), geometry_.octets()};
  } catch (const std::system_error& error) {
    throw StartError{ExitStatus::failure, "capture.buffer_size_mb: no ring of " +
                                              std::to_string(geometry_.octets() >> 10U) + " KiB for " + interface +
                                              " (" + error.what() + "): ask for less"};
  }
}

// Nothing but a refusal is behind it yet: not much can fail but the program itself.
void Ring::let_in(const FilterProgram& program) {
  if (const int error = attach_filter(fd(), program, refuse_everything()); error != 0)
    throw StartError{ExitStatus::configuration, "capture.bpf_filter: the filter " + attach_failure(program, error)};
}

void Ring::bind_to(int interface_index) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = from_network<std::uint16_t>(ETH_P_ALL);
  address.sll_ifindex = interface_index;
  checked(::bind(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
}

tpacket_stats_v3 Ring::take_statistics() noexcept {
  tpacket_stats_v3 statistics{};
  socklen_t size = sizeof statistics;
  if (::getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) return {};
  return statistics;
}

int Ring::take_error() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

bool Ring::bound() const noexcept {
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  return ::getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.sll_ifindex == interface_index_;
}

// --- One interface -------------------------------------------------------------------------------------------------

// An interface, its ring while there is one, and how far the block in hand has been read.
struct Leg {
  std::string name;
  std::uint8_t position = 0;
  std::uint16_t fanout_id = 0;
  std::string kept_as;  // name of its rings in the store
  UniqueFd inherited;   // the first of them
  LinkKind kind;
  std::optional<Ring> ring;
  std::shared_ptr<FilterPrograms> filter;  // of its ring, or of the one to come
  bool away = true;
  Duration leave_by{};   // after this the old ring is given up, whatever it holds
  std::string obstacle;  // why its interface could not be opened, as it last was
  Duration obstructed_since{};
  bool obstacle_told = false;

  bool holding = false;  // a block is ours
  const std::byte* next = nullptr;
  std::uint32_t remaining = 0;
  std::uint64_t batch_packets = 0, batch_octets = 0, batch_hardware_stamps = 0;
  InterfaceCounters* counters = nullptr;

  bool drained = false;  // stopping: what was there has been read
  std::uint32_t blocks_since_stop = 0;

  void take_block() noexcept {
    const Block block = ring->block();
    holding = true;
    next = block.first_packet();
    remaining = block.packets();
    // More than nothing only where an earlier process left off.
    const std::uint32_t read = std::min(block.noted(), remaining);
    for (std::uint32_t i = 0; i < read; ++i) next += packet().tp_next_offset;
    remaining -= read;
  }
  void note_progress() noexcept { ring->block().note(ring->block().packets() - remaining); }
  void release_block() noexcept {
    ring->release_block();
    holding = false;
  }
  // A leg without a ring uses it when its interface comes.
  [[nodiscard]] bool follow_filter(const std::shared_ptr<FilterPrograms>& wanted) noexcept {
    try {
      if (ring) {
        const auto program = wanted->for_link(kind.link), old = filter->for_link(kind.link);
        if (!program || attach_filter(ring->fd(), program->program(), old ? old->program() : refuse_everything()) != 0)
          return false;
      }
    } catch (const std::exception&) {
      return false;
    }
    filter = wanted;
    obstacle.clear();
    return true;
  }
  [[nodiscard]] const tpacket3_hdr& packet() const noexcept { return *reinterpret_cast<const tpacket3_hdr*>(next); }
  [[nodiscard]] Timestamp next_stamp() const noexcept { return stamp_of(packet()); }
  static Timestamp stamp_of(const tpacket3_hdr& packet) noexcept {
    return Timestamp{Duration{packet.tp_sec * kNanosecondsPerSecond + packet.tp_nsec}};
  }
};

}  // namespace

RingGeometry ring_geometry(std::uint64_t total_octets, std::uint64_t rings, std::uint32_t snap_len) noexcept {
  const std::uint64_t share = total_octets / std::max<std::uint64_t>(rings, 1);
  // A block that cannot hold a whole frame would cut it: room for its headers, too.
  const std::uint32_t smallest = std::max(kSmallestBlock, std::bit_ceil(std::min(snap_len, kLargestBlock / 2) + 4096));
  std::uint32_t block = kLargestBlock;
  while (block > smallest && share / block < kWantedBlocks) block /= 2;
  const std::uint64_t most = std::uint64_t{1} << 20U;
  return {block, static_cast<std::uint32_t>(std::clamp<std::uint64_t>(share / block, kFewestBlocks, most))};
}

RingGeometry ring_geometry(const CaptureSettings& settings, std::uint32_t workers) noexcept {
  return ring_geometry(std::uint64_t{settings.buffer_size_mb} << 20U,
                       std::uint64_t{workers} * settings.interfaces.size(), settings.snap_len);
}

std::shared_ptr<FilterPrograms> compile_filter(const CaptureSettings& settings, const FilterPatience& patience) {
  auto filter = std::make_shared<FilterPrograms>(settings.bpf_filter, settings.snap_len, settings.interfaces);
  try {
    filter->prepare(patience);
  } catch (const StartError& error) {
    throw StartError{error.status(), std::string{"capture.bpf_filter: "} + error.what()};
  }
  return filter;
}

namespace {

// Another processor wrote the frames, and each says only where the next one is: without asking ahead every frame waits
// for its memory.  Frames as long as the last one are assumed; of long ones the headers matter, of which this finds
// most.
void fetch_ahead(const std::byte* next, std::size_t frame_octets) noexcept {
  constexpr std::size_t kAhead = 2048, kAtMost = 256;
  const std::size_t octets = std::min(frame_octets, kAtMost);
  for (std::size_t at = 0; at < octets; at += kCacheLine) fetch_line_to_read(next + kAhead + at);
}

}  // namespace

struct RingSource::Impl {
  Impl(const CaptureSettings& settings, std::uint32_t worker, std::uint32_t workers, std::uint16_t fanout_id,
       RingStore store, std::vector<UniqueFd> inherited);

  void open(Leg& leg);
  void make_ring(Leg& leg, const RingPlan& plan);
  void give_up_ring(Leg& leg) noexcept;
  [[nodiscard]] const Leg* twin_of(const Leg& leg, int interface_index) const;

  void begin_batch() noexcept;
  [[nodiscard]] bool fill() noexcept;
  [[nodiscard]] bool fill_from(Leg& leg) noexcept;
  [[nodiscard]] bool merge() noexcept;
  void append(Leg& leg) noexcept;
  void take_ready_blocks() noexcept;
  void move_watermark(Timestamp to) noexcept;
  void idle() noexcept;
  void wait() noexcept;
  [[nodiscard]] int patience_milliseconds() const noexcept;

  void begin_stop() noexcept;
  [[nodiscard]] bool past_stop(Leg& leg) noexcept;
  [[nodiscard]] bool all_drained() noexcept;

  void take_statistics(Leg& leg) noexcept;
  void look_for_error(Leg& leg) noexcept;
  void mend() noexcept;
  void mend(Leg& leg) noexcept;
  [[nodiscard]] static bool drained_for_good(Leg& leg) noexcept;
  static void note_obstacle(Leg& leg, const char* what) noexcept;
  void look_for_rename(Leg& leg) noexcept;
  void set_away(Leg& leg, bool away) noexcept;

  CaptureSettings settings;
  RingStore store;
  std::uint32_t number;   // of this worker
  std::uint32_t workers;  // in all
  RingGeometry geometry;
  bool fanout;
  UniqueFd stop_event;
  std::vector<InterfaceCounters> interface_counters;  // by leg
  std::vector<Leg> legs;
  std::vector<pollfd> polled;  // stop_event, then one for each leg
  FrameBatch batch;
  CaptureCounters counters;
  std::uint64_t batch_cut = 0;
  Timestamp watermark{};
  bool has_watermark = false;
  std::size_t away = 0;
  Duration next_mend{};
  std::atomic<bool> stop_asked{false};
  bool stopping = false;
  Timestamp stop_time{};
};

RingSource::Impl::Impl(const CaptureSettings& wanted, std::uint32_t worker, std::uint32_t workers_in_all,
                       std::uint16_t fanout_id, RingStore keeper, std::vector<UniqueFd> inherited)
    : settings{wanted},
      store{std::move(keeper)},
      number{worker},
      workers{workers_in_all},
      geometry{ring_geometry(settings, workers)},
      fanout{needs_group(settings, workers)},
      stop_event{checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")},
      interface_counters(settings.interfaces.size()) {
  // Asked now, lest it waits for an interface that it may not capture.
  open_packet_socket();
  const auto& names = settings.interfaces;
  if (names.empty() || names.size() > kMaxInterfaces)
    throw StartError{ExitStatus::configuration, "capture.interface: names " + std::to_string(names.size()) +
                                                    " interfaces, not 1 to " + std::to_string(kMaxInterfaces)};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i))
      throw StartError{ExitStatus::configuration,
                       "capture.interface: names " + names[i] + " twice: its packets would count twice"};
    Leg& leg = legs.emplace_back();
    leg.name = names[i];
    leg.counters = &interface_counters[i];
    leg.counters->name = one_line(names[i]);
    leg.counters->away.set(1);
    leg.position = static_cast<std::uint8_t>(i);
    leg.fanout_id = fanout_id_of(fanout_id, i);
    leg.kept_as = ring_name(settings, worker, workers, i);
    if (!inherited.empty()) leg.inherited = std::move(inherited[i]);
    leg.drained = false;
  }
  away = legs.size();
  if (!store.filter) store.filter = compile_filter(settings);
  for (Leg& leg : legs) leg.filter = store.filter;
  for (Leg& leg : legs) open(leg);
  counters.interfaces_away.set(away);
  polled.resize(legs.size() + 1);
}

// Leaves the leg away if its interface is down, or missing and to be waited for.
void RingSource::Impl::open(Leg& leg) {
  const int index = interface_index(leg.name);
  // 0 would bind to every interface of the host.
  if (index == 0) {
    if (settings.wait_for_interface) return;
    throw StartError{ExitStatus::failure, no_such_interface(leg.name)};
  }
  if (const Leg* twin = twin_of(leg, index); twin != nullptr)
    throw StartError{ExitStatus::configuration, "capture.interface: " + twin->name + " and " + leg.name +
                                                    " are the same interface: its packets would count twice"};
  const auto kind = link_kind_of(index);
  if (!kind) throw StartError{ExitStatus::failure, not_decoded(leg.name, index)};
  // The kernel numbers the members of a group as they join, and shares out by number.
  if (fanout && store.order && !leg.inherited && !store.order->may_join(leg.position, number, index)) return;
  // Bound while down it could not join its group on older kernels.
  if (!interface_is_up(index)) return;
  const auto filter = leg.filter->for_link(kind->link);
  if (!filter) return;  // not compiled yet: the next time
  leg.kind = *kind;
  RingPlan plan;
  plan.interface = leg.name;
  plan.interface_index = index;
  plan.geometry = geometry;
  plan.program = filter->program();
  plan.promiscuous = settings.promiscuous;
  plan.hardware_stamps = settings.timestamps == TimeStamps::hardware;
  plan.lock_filter = settings.lock_filter;
  if (fanout) {
    plan.fanout = FanoutPlan{.interface = leg.name,
                             .link = kind->link,
                             .id = leg.fanout_id,
                             .mode = settings.fanout_mode,
                             .tunnel_depth = settings.tunnel_depth,
                             .defragment = settings.defragment,
                             .shared = settings.fanout_group != 0,
                             .programs = store.programs};
  }
  try {
    make_ring(leg, plan);
  } catch (const std::system_error& error) {
    throw StartError{ExitStatus::failure, "capture.interface: " + leg.name + ": " + error.what()};
  }
  set_away(leg, false);
}

void RingSource::Impl::make_ring(Leg& leg, const RingPlan& plan) {
  if (leg.inherited) {
    leg.ring.emplace(std::move(leg.inherited), plan);
    if (store.order) store.order->joined(leg.position, number, plan.interface_index);
    return;
  }
  leg.ring.emplace(plan);
  if (store.order) store.order->joined(leg.position, number, plan.interface_index);
  if (store.keep) store.keep(leg.kept_as, leg.ring->fd());
}

// Before it is closed here: a socket that somebody else holds stays in its group.
void RingSource::Impl::give_up_ring(Leg& leg) noexcept {
  if (leg.ring && store.order) store.order->left(leg.position, number);
  if (leg.ring && store.forget) {
    try {
      store.forget(leg.kept_as);
    } catch (const std::exception&) {
      // The next start refuses it.
    }
  }
  leg.ring.reset();
  leg.holding = false;
  leg.remaining = 0;
  leg.leave_by = Duration::zero();
}

// The leg that captures the interface already, under another name, or will: the first of those that name it.
const Leg* RingSource::Impl::twin_of(const Leg& leg, int interface_index) const {
  for (const Leg& other : legs) {
    if (other.position == leg.position) continue;
    const bool captures = (other.ring && other.ring->interface_index() == interface_index) ||
                          (store.order && store.order->held(other.position, interface_index));
    if (captures || (other.position < leg.position && whiteowl::interface_index(other.name) == interface_index))
      return &other;
  }
  return nullptr;
}

// --- Reading -------------------------------------------------------------------------------------------------------

// Blocks go back only here: the frames of the last batch have been used by now.
void RingSource::Impl::begin_batch() noexcept {
  batch.size = 0;
  batch.has_watermark = false;
  batch_cut = 0;
  for (Leg& leg : legs) {
    leg.batch_packets = leg.batch_octets = leg.batch_hardware_stamps = 0;
    if (!leg.holding) continue;
    if (leg.remaining == 0)
      leg.release_block();
    else
      leg.note_progress();
  }
}

// True if the batch has frames.
bool RingSource::Impl::fill() noexcept {
  const bool filled = legs.size() == 1 ? fill_from(legs.front()) : merge();
  if (!filled) return false;
  std::uint64_t octets = 0;
  for (Leg& leg : legs) {
    leg.counters->packets_received.add(leg.batch_packets);
    leg.counters->octets_received.add(leg.batch_octets);
    leg.counters->hardware_stamps.add(leg.batch_hardware_stamps);
    octets += leg.batch_octets;
  }
  counters.packets_received.add(batch.size);
  counters.octets_received.add(octets);
  counters.packets_cut.add(batch_cut);
  move_watermark(batch.frames[batch.size - 1].time);
  return true;
}

bool RingSource::Impl::fill_from(Leg& leg) noexcept {
  // A block may hold nothing for us: the sent copies on loopback.  Then the next one, but not without end.
  for (std::uint32_t tries = 0; tries < geometry.blocks; ++tries) {
    if (!leg.holding) take_ready_blocks();
    if (!leg.holding) return false;
    while (leg.remaining > 0 && batch.size < FrameBatch::kCapacity) append(leg);
    if (batch.size > 0) return true;
    leg.release_block();
  }
  return false;
}

// The legs of a TAP carry one direction each, and a round-trip time needs both in order: frames of all legs by their
// stamps.  A leg without a block may yet hand over packets that are as old as kHandedOver, so younger ones of the
// others wait that long, unless their ring is filling up.
bool RingSource::Impl::merge() noexcept {
  take_ready_blocks();
  const auto behind = [](const Leg& leg) { return leg.ring && !leg.holding && !leg.drained; };
  const auto crowded = [](const Leg& leg) { return leg.holding && leg.ring->crowded(); };
  Timestamp limit = Timestamp::max();
  if (std::any_of(legs.begin(), legs.end(), behind) && std::none_of(legs.begin(), legs.end(), crowded))
    limit = real_time() - kHandedOver;
  while (batch.size < FrameBatch::kCapacity) {
    Leg* oldest = nullptr;
    for (Leg& leg : legs) {
      if (leg.holding && leg.remaining > 0 && (oldest == nullptr || leg.next_stamp() < oldest->next_stamp()))
        oldest = &leg;
    }
    if (oldest == nullptr || oldest->next_stamp() > limit) break;
    append(*oldest);
    if (oldest->remaining > 0) continue;
    if (batch.size > 0)
      break;  // its next block may hold the oldest packet now; it can be taken when this one is released
    oldest->release_block();
    take_ready_blocks();
  }
  return batch.size > 0;
}

void RingSource::Impl::take_ready_blocks() noexcept {
  for (Leg& leg : legs) {
    if (!leg.ring || leg.holding || leg.drained || !leg.ring->block().ready()) continue;
    if (stopping && past_stop(leg)) continue;
    leg.take_block();
    if (leg.remaining == 0) leg.release_block();
  }
}

void RingSource::Impl::append(Leg& leg) noexcept {
  const tpacket3_hdr& packet = leg.packet();
  const std::byte* const at = leg.next;
  leg.next += packet.tp_next_offset;
  --leg.remaining;
  fetch_ahead(leg.next, packet.tp_next_offset);
  const auto& from = *reinterpret_cast<const sockaddr_ll*>(at + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
  const bool outgoing = from.sll_pkttype == PACKET_OUTGOING;
  // Loopback shows each packet as sent and as received: once is enough, as for libpcap.
  if (outgoing && leg.kind.loopback) return;

  Frame& frame = batch.frames[batch.size];
  frame = Frame{};
  frame.data = reinterpret_cast<const std::uint8_t*>(at) + packet.tp_mac;
  frame.time = Leg::stamp_of(packet);
  frame.captured_octets = packet.tp_snaplen;
  frame.wire_octets = packet.tp_len;
  if ((packet.tp_status & TP_STATUS_VLAN_VALID) != 0) {
    frame.vlan_tci = static_cast<std::uint16_t>(packet.hv1.tp_vlan_tci);
    frame.vlan_tpid =
        (packet.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? packet.hv1.tp_vlan_tpid : std::uint16_t{ETH_P_8021Q};
  }
  frame.link = leg.kind.link;
  frame.interface = leg.position;
  frame.outgoing = outgoing;
  ++leg.batch_packets;
  leg.batch_octets += packet.tp_len;
  leg.batch_hardware_stamps += (packet.tp_status & TP_STATUS_TS_RAW_HARDWARE) != 0 ? 1U : 0U;
  batch_cut += packet.tp_snaplen < packet.tp_len ? 1U : 0U;
  ++batch.size;
}

// Follows the stamps as AgeClock does: forward, and back only when the clock was set.
void RingSource::Impl::move_watermark(Timestamp to) noexcept {
  if (!has_watermark || to > watermark || to < watermark - AgeClock::kStep) watermark = to;
  has_watermark = true;
  batch.watermark = watermark;
  batch.has_watermark = true;
}

void RingSource::Impl::idle() noexcept {
  move_watermark(real_time() - kHandedOver);
  batch.end = stopping && all_drained();
}

int RingSource::Impl::patience_milliseconds() const noexcept {
  Duration patience = std::chrono::milliseconds{kPatienceMilliseconds};
  // Held-back frames are due when their time has come, and draining when the last block has been handed over.
  if (stopping) patience = std::chrono::milliseconds{kPatienceMilliseconds / 4};
  for (const Leg& leg : legs) {
    if (leg.holding && leg.remaining > 0)
      patience = std::min<Duration>(patience, leg.next_stamp() + kHandedOver - real_time());
  }
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  return static_cast<int>(std::clamp<std::int64_t>(milliseconds, 1, kPatienceMilliseconds));
}

void RingSource::Impl::wait() noexcept {
  if (stopping && all_drained()) return;
  polled[0] = {stopping ? -1 : stop_event.get(), POLLIN, 0};
  for (std::size_t i = 0; i < legs.size(); ++i) {
    // A leg with a block in hand would always be readable.
    const bool asks = legs[i].ring && !legs[i].holding && !legs[i].drained;
    polled[i + 1] = {asks ? legs[i].ring->fd() : -1, POLLIN, 0};
  }
  if (::poll(polled.data(), polled.size(), patience_milliseconds()) <= 0) return;
  for (std::size_t i = 0; i < legs.size(); ++i) {
    // An error left where it is would make every poll() return at once.
    if ((polled[i + 1].revents & POLLERR) != 0) look_for_error(legs[i]);
  }
}

const FrameBatch& RingSource::read() noexcept {
  Impl& s = *impl_;
  s.begin_batch();
  if (s.away > 0) s.mend();
  if (!s.stopping && s.stop_asked.load(std::memory_order_acquire)) s.begin_stop();
  if (s.fill()) return s.batch;
  s.wait();
  if (!s.stopping && s.stop_asked.load(std::memory_order_acquire)) s.begin_stop();
  if (!s.fill()) s.idle();
  return s.batch;
}

// --- Stopping ------------------------------------------------------------------------------------------------------

void RingSource::Impl::begin_stop() noexcept {
  stopping = true;
  stop_time = real_time();
}

// Whether the leg's ready block holds nothing from before the stop.  The count bounds it should the clock be set back.
bool RingSource::Impl::past_stop(Leg& leg) noexcept {
  leg.drained = leg.ring->block().opened() > stop_time || ++leg.blocks_since_stop > leg.ring->blocks() + 1;
  return leg.drained;
}

bool RingSource::Impl::all_drained() noexcept {
  const Duration since = real_time() - stop_time;
  const bool handed_over = since > kHandedOver || since < Duration::zero();
  for (Leg& leg : legs) {
    if (leg.holding) return false;
    if (!leg.ring || leg.drained) continue;
    if (leg.ring->block().ready() || !handed_over) return false;
  }
  return true;
}

// --- Counters and links --------------------------------------------------------------------------------------------

void RingSource::Impl::take_statistics(Leg& leg) noexcept {
  if (!leg.ring) return;
  const tpacket_stats_v3 statistics = leg.ring->take_statistics();
  counters.packets_dropped.add(statistics.tp_drops);
  counters.ring_freezes.add(statistics.tp_freeze_q_cnt);
  leg.counters->packets_dropped.add(statistics.tp_drops);
  leg.counters->ring_freezes.add(statistics.tp_freeze_q_cnt);
}

void RingSource::Impl::look_for_error(Leg& leg) noexcept {
  if (!leg.ring || leg.ring->take_error() != ENETDOWN || leg.away) return;
  set_away(leg, true);
  counters.link_losses.add();
  leg.counters->link_losses.add();
  // Not at once: what the ring still holds is handed over and read first.
  next_mend = coarse_time() + kMendInterval + kHandedOver;
}

void RingSource::Impl::set_away(Leg& leg, bool is_away) noexcept {
  if (leg.away == is_away) return;
  leg.away = is_away;
  if (is_away)
    ++away;
  else
    --away;
  leg.counters->away.set(is_away ? 1 : 0);
  counters.interfaces_away.set(away);
}

void RingSource::Impl::mend() noexcept {
  const Duration now = coarse_time();
  if (now < next_mend) return;
  next_mend = now + kMendInterval;
  for (Leg& leg : legs) {
    if (leg.away) mend(leg);
  }
}

void RingSource::Impl::mend(Leg& leg) noexcept {
  const int index = interface_index(leg.name);
  if (leg.ring && leg.ring->bound() && leg.ring->interface_index() == index) {
    // Only down: the kernel connects the socket to it again by itself, promiscuous mode and group included.
    if (interface_is_up(index)) set_away(leg, false);
    return;
  }
  if (leg.ring && !drained_for_good(leg)) return;
  // Given back before the new one is tried: a group belongs to one interface until its last member has left.
  take_statistics(leg);
  give_up_ring(leg);
  if (stopping || index == 0) return;
  try {
    open(leg);
    leg.obstacle.clear();
  } catch (const std::exception& error) {
    // Gone again while it was opened is no obstacle.
    if (interface_index(leg.name) == index && interface_is_up(index)) note_obstacle(leg, error.what());
  }
}

// Whether a ring whose interface is gone, or has another name now, has been read.  The second may still be filled.
bool RingSource::Impl::drained_for_good(Leg& leg) noexcept {
  if (!leg.holding && !leg.ring->block().ready()) return true;
  if (leg.leave_by == Duration::zero()) {
    const bool locked = attach_filter(leg.ring->fd(), refuse_everything(), refuse_everything()) != 0;
    leg.leave_by = locked && leg.ring->bound() ? coarse_time() + kLeaveWithin : Duration::max();
  }
  return coarse_time() > leg.leave_by;
}

// Told once it has lasted: other members may hold the group for a moment.
void RingSource::Impl::note_obstacle(Leg& leg, const char* what) noexcept {
  const Duration now = coarse_time();
  try {
    if (leg.obstacle != what) {
      leg.obstacle = what;
      leg.obstructed_since = now;
      leg.obstacle_told = false;
    }
    if (leg.obstacle_told || now - leg.obstructed_since < kObstacleLasts) return;
    leg.counters->obstacle.post(std::make_unique<std::string>(leg.obstacle));
    leg.obstacle_told = true;
  } catch (const std::exception&) {
    // No memory for the text: the next time.
  }
}

// Its name may have been given to another interface, or taken away, without an error on the socket.
void RingSource::Impl::look_for_rename(Leg& leg) noexcept {
  if (!leg.ring || leg.away || leg.ring->interface_index() == interface_index(leg.name)) return;
  set_away(leg, true);
  counters.link_losses.add();
  leg.counters->link_losses.add();
}

void RingSource::refresh_counters() noexcept {
  for (Leg& leg : impl_->legs) {
    impl_->take_statistics(leg);
    // A leg that is never polled because others keep this thread busy.
    impl_->look_for_error(leg);
    impl_->look_for_rename(leg);
  }
}

// --- The rest of the public face -----------------------------------------------------------------------------------

RingSource::RingSource(const CaptureSettings& settings, std::uint32_t worker, std::uint32_t workers,
                       std::uint16_t fanout_id, RingStore store, std::vector<UniqueFd> inherited)
    : impl_{std::make_unique<Impl>(settings, worker, workers, fanout_id, std::move(store), std::move(inherited))} {}
RingSource::~RingSource() = default;

const CaptureCounters& RingSource::counters() const noexcept { return impl_->counters; }

std::span<const InterfaceCounters> RingSource::interfaces() const noexcept { return impl_->interface_counters; }

bool RingSource::set_filter(const std::shared_ptr<FilterPrograms>& filter) noexcept {
  Impl& s = *impl_;
  if (filter->expression() == s.settings.bpf_filter) return true;
  if (s.settings.lock_filter) return false;
  bool taken = true;
  for (Leg& leg : s.legs) taken = leg.follow_filter(filter) && taken;
  s.settings.bpf_filter = filter->expression();
  return taken;
}

std::size_t RingSource::ring_octets() const noexcept { return impl_->geometry.octets() * impl_->legs.size(); }

std::string RingSource::sharing() const {
  if (!impl_->fanout) return {};
  for (const Leg& leg : impl_->legs) {
    if (leg.ring) return leg.ring->fanout()->text();
  }
  return "as soon as there is an interface";
}

void RingSource::stop() noexcept {
  impl_->stop_asked.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  // Full only when it has been told before.
  [[maybe_unused]] const ssize_t written = ::write(impl_->stop_event.get(), &one, sizeof one);
}

std::uint16_t own_fanout_id() noexcept {
  std::uint16_t id = 0;
  // Interrupted or too early at boot: the process id is the next best.
  if (::getrandom(&id, sizeof id, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof id))
    id = static_cast<std::uint16_t>(::getpid());
  return id == 0 ? std::uint16_t{1} : id;
}

}  // namespace whiteowl
