// SPDX-License-Identifier: Apache-2.0
// What a capture file costs before anybody meters it: the floors that probes are measured against.
//   libpcap   pcap_loop that only counts: every program on libpcap begins here
//   read      read() into 1 MiB, a walk over the record headers
//   map       the file mapped, the same walk
//   table     read, and every packet counted in an entry of 64 octets of a table with room for ENTRIES conversations:
//             both directions in one entry, batches of 32 with prefetching, huge pages; nothing ends, nothing leaves
// Prints packets and octets (table: entries too), so that a test can tell that the work was done.
#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace whiteowl::bench {
namespace {

constexpr std::size_t kFileHeader = 24, kRecordHeader = 16;

struct Count {
  std::uint64_t packets = 0, octets = 0;
  void add(std::uint64_t wire) {
    ++packets;
    octets += wire;
  }
};

struct Record {  // of a pcap file in the order of this machine
  std::uint32_t seconds, micros, kept, wire;
};

[[noreturn]] void fail(const std::string& what) { throw std::system_error{errno, std::generic_category(), what}; }

// ---- libpcap

Count by_libpcap(const std::string& path) {
  char text[PCAP_ERRBUF_SIZE];
  pcap_t* file = pcap_open_offline(path.c_str(), text);
  if (file == nullptr) throw std::runtime_error{text};
  Count count;
  pcap_loop(
      file, -1,
      [](std::uint8_t* to, const pcap_pkthdr* header, const std::uint8_t*) {
        reinterpret_cast<Count*>(to)->add(header->len);
      },
      reinterpret_cast<std::uint8_t*>(&count));
  pcap_close(file);
  return count;
}

// ---- read() and mapped files

// Calls `each(record, data)` for all whole records; returns how many octets they took.
template <typename Each>
std::size_t walk(const std::uint8_t* begin, std::size_t octets, const Each& each) {
  std::size_t at = 0;
  while (octets - at >= kRecordHeader) {
    Record record;
    std::memcpy(&record, begin + at, sizeof(record));
    if (octets - at - kRecordHeader < record.kept) break;
    each(record, begin + at + kRecordHeader);
    at += kRecordHeader + record.kept;
  }
  return at;
}

// `after_buffer` runs before the octets of a buffer go away.
template <typename Each, typename After>
void by_read(const std::string& path, const Each& each, const After& after_buffer) {
  constexpr std::size_t kBuffer = std::size_t{1} << 20U;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  const auto buffer = std::make_unique<std::uint8_t[]>(kBuffer);
  if (::read(fd, buffer.get(), kFileHeader) != kFileHeader) fail(path);
  std::size_t held = 0;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.get() + held, kBuffer - held);
    if (got < 0) fail(path);
    if (got == 0) break;
    held += static_cast<std::size_t>(got);
    const std::size_t used = walk(buffer.get(), held, each);
    after_buffer();
    std::memmove(buffer.get(), buffer.get() + used, held - used);
    held -= used;
  }
  ::close(fd);
}

Count by_map(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0) fail(path);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapping == MAP_FAILED) fail(path);
  ::madvise(mapping, size, MADV_SEQUENTIAL);
  Count count;
  walk(static_cast<const std::uint8_t*>(mapping) + kFileHeader, size - kFileHeader,
       [&](const Record& record, const std::uint8_t*) { count.add(record.wire); });
  ::munmap(mapping, size);
  ::close(fd);
  return count;
}

// ---- table

struct Key {
  std::array<std::uint64_t, 5> words{};
  friend bool operator==(const Key&, const Key&) = default;
};

struct alignas(64) Entry {
  Key key;
  std::uint64_t packets;
  std::uint64_t octets;
  std::uint64_t last;
};
static_assert(sizeof(Entry) == 64);

std::uint32_t big32(const std::uint8_t* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return __builtin_bswap32(value);
}

// Addresses and ports in order, so that both directions are one key.  Plain Ethernet with IPv4 or IPv6 and nothing
// else.
Key key_of(const std::uint8_t* frame) {
  Key key;
  const bool v6 = frame[12] == 0x86;
  const std::uint8_t* ip = frame + 14;
  const std::size_t length = v6 ? 16 : 4;
  const std::uint8_t protocol = v6 ? ip[6] : ip[9];
  const std::uint8_t* ports = ip + (v6 ? 40 : 20);
  std::memcpy(key.words.data(), ip + (v6 ? 8 : 12), length);
  std::memcpy(key.words.data() + 2, ip + (v6 ? 24 : 16), length);
  std::uint32_t both = big32(ports);
  if (protocol != 6 && protocol != 17) both = 0;
  if (key.words[0] > key.words[2] || (key.words[0] == key.words[2] && key.words[1] > key.words[3])) {
    std::swap(key.words[0], key.words[2]);
    std::swap(key.words[1], key.words[3]);
    both = both << 16U | both >> 16U;
  }
  key.words[4] = std::uint64_t{both} << 16U | protocol;
  return key;
}

std::uint64_t hash_of(const Key& key) {
  std::uint64_t hash = 0;
  for (const std::uint64_t word : key.words) hash = (std::rotl(hash, 23) ^ word) * 0x9E3779B97F4A7C15U;
  return hash ^ hash >> 32U;
}

class Table {
 public:
  explicit Table(std::size_t entries) : mask_{std::bit_ceil(std::max<std::size_t>(entries, 512) * 3 / 2) - 1} {
    const std::size_t octets = (mask_ + 1) * sizeof(Entry);
    constexpr std::size_t kHuge = std::size_t{2} << 20U;
    mapping_ = ::mmap(nullptr, octets + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) fail("mmap");
    const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
    entries_ = reinterpret_cast<Entry*>((address + kHuge - 1) / kHuge * kHuge);
    ::madvise(entries_, octets, MADV_HUGEPAGE);
  }
  void add(const Record& record, const std::uint8_t* data) {
    Waiting& waiting = batch_[size_];
    waiting.key = key_of(data);
    waiting.hash = hash_of(waiting.key);
    waiting.octets = record.wire;
    waiting.at = std::uint64_t{record.seconds} * 1'000'000 + record.micros;
    __builtin_prefetch(&entries_[waiting.hash & mask_], 1);
    if (++size_ == kBatch) settle();
  }
  void settle() {
    for (const Waiting& waiting : std::span{batch_}.first(size_)) {
      Entry& entry = find(waiting);
      if (entry.packets == 0) {
        entry.key = waiting.key;
        ++used_;
      }
      ++entry.packets;
      entry.octets += waiting.octets;
      entry.last = waiting.at;
      count_.add(waiting.octets);
    }
    size_ = 0;
  }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }
  [[nodiscard]] const Count& count() const noexcept { return count_; }

 private:
  static constexpr std::size_t kBatch = 32;
  struct Waiting {
    Key key;
    std::uint64_t hash, octets, at;
  };

  Entry& find(const Waiting& waiting) {
    std::size_t at = waiting.hash & mask_;
    while (entries_[at].packets != 0 && entries_[at].key != waiting.key) at = (at + 1) & mask_;
    if (used_ > mask_ - mask_ / 8) throw std::runtime_error{"table: more conversations than ENTRIES"};
    return entries_[at];
  }

  std::size_t mask_;
  void* mapping_ = nullptr;  // until the end of the process
  Entry* entries_ = nullptr;
  std::array<Waiting, kBatch> batch_{};
  std::size_t size_ = 0, used_ = 0;
  Count count_;
};

void run(std::span<char* const> words) {
  const std::string_view kind = words.size() < 2 ? "" : words[0];
  Count count;
  std::size_t entries = 0;
  if (kind == "libpcap") {
    count = by_libpcap(words[1]);
  } else if (kind == "map") {
    count = by_map(words[1]);
  } else if (kind == "read") {
    by_read(
        words[1], [&](const Record& record, const std::uint8_t*) { count.add(record.wire); }, [] {});
  } else if (kind == "table") {
    Table table{words.size() > 2 ? std::stoull(words[2]) : std::size_t{1} << 18U};
    by_read(
        words[1], [&](const Record& record, const std::uint8_t* data) { table.add(record, data); }, [] {});
    table.settle();
    count = table.count();
    entries = table.used();
  } else {
    throw std::invalid_argument{"libpcap|read|map|table FILE [ENTRIES]"};
  }
  std::printf("{\"packets\": %llu, \"wire_octets\": %llu, \"entries\": %zu}\n",
              static_cast<unsigned long long>(count.packets), static_cast<unsigned long long>(count.octets), entries);
}

}  // namespace
}  // namespace whiteowl::bench

int main(int count, char** words) {
  try {
    whiteowl::bench::run(std::span{words, static_cast<std::size_t>(count)}.subspan(count > 0 ? 1 : 0));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_floor: %s\n", error.what());
    return 1;
  }
  return 0;
}
