// SPDX-License-Identifier: Apache-2.0
// The least that a capture can do: a TPACKET_V3 ring whose blocks are walked, packets counted, lengths added up.
//   bench_ring_walk INTERFACE [--workers N] [--megabytes N] [--snap N]
// Says `ready` on its error output; ends at SIGTERM or SIGINT and prints one line of JSON.  Ring, blocks, their timer
// and the octets kept of a frame are the probe's; with several workers they form a fanout group by hash.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace {

constexpr std::uint32_t kFrameOctets = 2048, kBlockTimerMs = 60, kBlocks = 64;

std::atomic<bool> ending{false};
static_assert(std::atomic<bool>::is_always_lock_free);

struct Settings {
  std::string interface;
  std::uint32_t workers = 1, megabytes = 64, snap = 128;
};

[[noreturn]] void fail(const std::string& what) { throw std::system_error{errno, std::generic_category(), what}; }

template <typename Value>
void set(int fd, int name, const Value& value, const char* what) {
  if (::setsockopt(fd, SOL_PACKET, name, &value, sizeof(value)) != 0) fail(what);
}

class Ring {
 public:
  explicit Ring(const Settings& settings)
      : fd_{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)},
        block_octets_{(settings.megabytes << 20U) / settings.workers / kBlocks} {
    if (fd_ < 0) fail("packet socket");
    set(fd_, PACKET_VERSION, int{TPACKET_V3}, "PACKET_VERSION");
    tpacket_req3 request{};
    request.tp_block_size = block_octets_;
    request.tp_block_nr = kBlocks;
    request.tp_frame_size = kFrameOctets;
    request.tp_frame_nr = block_octets_ / kFrameOctets * kBlocks;
    request.tp_retire_blk_tov = kBlockTimerMs;
    set(fd_, PACKET_RX_RING, request, "PACKET_RX_RING");
    const std::size_t octets = std::size_t{block_octets_} * kBlocks;
    void* memory = ::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
    if (memory == MAP_FAILED) fail("mmap of the ring");
    memory_ = static_cast<std::uint8_t*>(memory);
    sock_filter keep{BPF_RET | BPF_K, 0, 0, settings.snap};
    const sock_fprog program{1, &keep};
    if (::setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) fail("SO_ATTACH_FILTER");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = __builtin_bswap16(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(settings.interface.c_str()));
    if (address.sll_ifindex == 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      fail(settings.interface);
    packet_mreq promiscuous{};
    promiscuous.mr_ifindex = address.sll_ifindex;
    promiscuous.mr_type = PACKET_MR_PROMISC;
    set(fd_, PACKET_ADD_MEMBERSHIP, promiscuous, "PACKET_MR_PROMISC");
    if (settings.workers > 1)
      set(fd_, PACKET_FANOUT, (::getpid() & 0xFFFF) | PACKET_FANOUT_HASH << 16, "PACKET_FANOUT");
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { ::close(fd_); }

  void walk() noexcept {
    std::uint32_t at = 0;
    while (!ending.load(std::memory_order_relaxed)) {
      auto* block = reinterpret_cast<tpacket_block_desc*>(memory_ + std::size_t{at} * block_octets_);
      std::atomic_ref<std::uint32_t> status{block->hdr.bh1.block_status};
      if ((status.load(std::memory_order_acquire) & TP_STATUS_USER) == 0) {
        pollfd wait{fd_, POLLIN | POLLERR, 0};
        ::poll(&wait, 1, 100);
        continue;
      }
      count(block);
      status.store(TP_STATUS_KERNEL, std::memory_order_release);
      at = (at + 1) % kBlocks;
    }
    socklen_t size = sizeof(statistics_);
    ::getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &statistics_, &size);
  }
  [[nodiscard]] std::uint64_t packets() const { return packets_; }
  [[nodiscard]] std::uint64_t octets() const { return octets_; }
  [[nodiscard]] std::uint64_t drops() const { return statistics_.tp_drops; }

 private:
  void count(const tpacket_block_desc* block) noexcept {
    const auto* at = reinterpret_cast<const std::uint8_t*>(block) + block->hdr.bh1.offset_to_first_pkt;
    for (std::uint32_t left = block->hdr.bh1.num_pkts; left > 0; --left) {
      const auto* packet = reinterpret_cast<const tpacket3_hdr*>(at);
      ++packets_;
      octets_ += packet->tp_len;
      at += packet->tp_next_offset;
    }
  }

  int fd_;
  std::uint32_t block_octets_;
  std::uint8_t* memory_ = nullptr;
  std::uint64_t packets_ = 0, octets_ = 0;
  tpacket_stats_v3 statistics_{};
};

Settings settings_of(std::span<char* const> words) {
  if (words.empty()) throw std::invalid_argument{"INTERFACE [--workers N] [--megabytes N] [--snap N]"};
  Settings settings;
  settings.interface = words[0];
  for (std::size_t i = 1; i + 1 < words.size(); i += 2) {
    const std::string_view name = words[i];
    const auto value = static_cast<std::uint32_t>(std::stoul(words[i + 1]));
    if (name == "--workers")
      settings.workers = std::clamp(value, 1U, 16U);
    else if (name == "--megabytes")
      settings.megabytes = std::clamp(value, 16U, 1024U);
    else if (name == "--snap")
      settings.snap = value;
    else
      throw std::invalid_argument{"no such option: " + std::string{name}};
  }
  return settings;
}

void run(const Settings& settings) {
  struct sigaction end {};
  end.sa_handler = [](int) { ending.store(true); };
  ::sigaction(SIGTERM, &end, nullptr);
  ::sigaction(SIGINT, &end, nullptr);
  std::vector<std::unique_ptr<Ring>> rings;
  for (std::uint32_t i = 0; i < settings.workers; ++i) rings.push_back(std::make_unique<Ring>(settings));
  std::vector<std::thread> threads;
  for (auto& ring : rings) threads.emplace_back([&ring] { ring->walk(); });
  std::fputs("ready\n", stderr);
  std::uint64_t packets = 0, octets = 0, drops = 0;
  for (std::size_t i = 0; i < rings.size(); ++i) {
    threads[i].join();
    packets += rings[i]->packets();
    octets += rings[i]->octets();
    drops += rings[i]->drops();
  }
  std::printf("{\"packets\": %llu, \"octets\": %llu, \"drops\": %llu}\n", static_cast<unsigned long long>(packets),
              static_cast<unsigned long long>(octets), static_cast<unsigned long long>(drops));
}

}  // namespace

int main(int count, char** words) {
  try {
    run(settings_of(std::span{words, static_cast<std::size_t>(count)}.subspan(count > 0 ? 1 : 0)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_ring_walk: %s\n", error.what());
    return 1;
  }
  return 0;
}
