// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/filter.hpp"

#include <linux/filter.h>
#include <pcap/pcap.h>
#include <sys/socket.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"
#include "whiteowl/capture/interfaces.hpp"

namespace whiteowl {

namespace {

struct CloseHandle {
  void operator()(pcap_t* handle) const noexcept { ::pcap_close(handle); }
};
using Handle = std::unique_ptr<pcap_t, CloseHandle>;

constexpr std::uint32_t kWholeFrame = 262'144;  // libpcap's own largest snap length
constexpr int kHandleBufferOctets = 65'536;     // the handle only compiles; it reads nothing

// Null where the interface cannot be opened or has not this link type.
Handle live_handle(const std::string& interface, int link, std::uint32_t snap_len) {
  std::array<char, PCAP_ERRBUF_SIZE> message{};
  Handle handle{::pcap_create(interface.c_str(), message.data())};
  if (!handle) return nullptr;
  ::pcap_set_snaplen(handle.get(), static_cast<int>(snap_len));
  ::pcap_set_buffer_size(handle.get(), kHandleBufferOctets);
  if (::pcap_activate(handle.get()) < 0 || ::pcap_datalink(handle.get()) != link) return nullptr;
  return handle;
}

// Opens a capture of no packets that exists only here: libpcap then knows what a file's link type is called with it,
// and in which order its host wrote the address family of a loopback header.
Handle file_handle(std::uint32_t link_type, bool swapped) {
  std::array<std::uint32_t, 6> header{0xA1B2C3D4, (4U << 16U) | 2U, 0, 0, kWholeFrame, link_type};
  if constexpr (std::endian::native == std::endian::big) header[1] = (2U << 16U) | 4U;
  if (swapped) {
    for (auto& word : header) word = __builtin_bswap32(word);
    header[1] = std::rotl(header[1], 16);  // two 16-bit fields
  }
  std::FILE* file = ::fmemopen(header.data(), sizeof header, "rb");
  if (file == nullptr) return nullptr;
  std::array<char, PCAP_ERRBUF_SIZE> message{};
  // Reads the header at once; `header` is not looked at again before the handle is closed.
  Handle handle{::pcap_fopen_offline(file, message.data())};
  if (!handle) std::fclose(file);
  return handle;
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

// As octets, which is how they come out of the child.
std::string compile(pcap_t* handle, const std::string& expression) {
  bpf_program program{};
  if (::pcap_compile(handle, &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    throw std::runtime_error{trimmed(::pcap_geterr(handle))};
  std::string octets{reinterpret_cast<const char*>(program.bf_insns), program.bf_len * sizeof(bpf_insn)};
  ::pcap_freecode(&program);
  return octets;
}

FilterProgram program_of(std::string_view octets) {
  FilterProgram program(octets.size() / sizeof(FilterInstruction));
  std::memcpy(program.data(), octets.data(), program.size() * sizeof(FilterInstruction));
  return program;
}

// The same program serves every Ethernet interface, so any will do that is up; and loopback in place of none.
Handle live_ethernet_handle(const std::vector<std::string>& interfaces, std::uint32_t snap_len) {
  for (const std::string& interface : interfaces) {
    if (Handle handle = live_handle(interface, DLT_EN10MB, snap_len); handle) return handle;
  }
  return live_handle("lo", DLT_EN10MB, snap_len);
}

// What the child of a live program returns begins with one of these: a stand-in has the grammar and nearly the length.
constexpr char kLive = 'l', kStandIn = 's';

constexpr std::size_t kMemoryOctets = std::size_t{512} << 20U;  // a hundred times what a few hundred hosts take

// The kernel's copy of a program counts against net.core.optmem_max, and so does the one that it takes the place of.
std::string optmem_now() {
  std::ifstream file{"/proc/sys/net/core/optmem_max"};
  std::string octets;
  return file >> octets ? " (now " + octets + ")" : "";
}

int attach(int fd, const FilterProgram& program) noexcept {
  if (program.size() > BPF_MAXINSNS) return EINVAL;
  std::array<sock_filter, BPF_MAXINSNS> code;
  std::memcpy(code.data(), program.data(), program.size() * sizeof(FilterInstruction));
  const sock_fprog attached{static_cast<unsigned short>(program.size()), code.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached) == 0 ? 0 : errno;
}

std::size_t place_of(LinkType link) noexcept { return link == LinkType::ethernet ? 0 : 1; }

}  // namespace

bool CompiledFilter::matches(const Frame& frame) const noexcept {
  static_assert(sizeof(bpf_insn) == sizeof(FilterInstruction) &&
                offsetof(bpf_insn, k) == offsetof(FilterInstruction, operand));
  const auto* code = reinterpret_cast<const bpf_insn*>(program_->data());
  return ::bpf_filter(code, frame.data, frame.wire_octets, frame.captured_octets) != 0;
}

FilterPrograms::FilterPrograms(std::string expression, std::uint32_t snap_len, std::vector<std::string> interfaces)
    : expression_{std::move(expression)}, snap_len_{snap_len}, interfaces_{std::move(interfaces)} {
  if (!expression_.empty()) return;
  for (Live& live : live_) live.filter.emplace(FilterProgram{{BPF_RET | BPF_K, 0, 0, snap_len_}});
}

std::string FilterPrograms::mistake(const std::string& why) const {
  constexpr std::size_t kShown = 120;  // of an expression that may fill pages
  const std::string shown = expression_.size() <= kShown ? expression_ : expression_.substr(0, kShown) + "...";
  return "filter \"" + shown + "\": " + why;
}

void FilterPrograms::refuse(const ChildTask::Outcome& outcome) const {
  if (outcome.text == "cancelled")
    throw StartError{ExitStatus::failure, mistake("stopped while it was being compiled")};
  std::string why = outcome.text;  // libpcap's
  if (outcome.state == ChildTask::State::timed_out)
    why = "compiling it takes too long; write addresses in place of names, and networks in place of many hosts";
  if (outcome.state == ChildTask::State::died) why = "cannot be compiled (" + outcome.text + "); make it simpler";
  throw StartError{ExitStatus::configuration, mistake(why)};
}

std::unique_ptr<ChildTask> FilterPrograms::compile_live(LinkType link, Duration time) const {
  return std::make_unique<ChildTask>(
      [this, link] {
        // Without a link header there is no tag to strip, and libpcap's own handle would be a cooked one.
        const Handle handle = link == LinkType::ethernet
                                  ? live_ethernet_handle(interfaces_, snap_len_)
                                  : Handle{::pcap_open_dead(DLT_RAW, static_cast<int>(snap_len_))};
        if (handle) return kLive + compile(handle.get(), expression_);
        return kStandIn + compile(file_handle(DLT_EN10MB, false).get(), expression_);
      },
      ChildTask::Limits{time, kMemoryOctets});
}

void FilterPrograms::take(Live& live, const ChildTask::Outcome& outcome) const {
  if (outcome.state != ChildTask::State::done) refuse(outcome);
  const std::string_view text = outcome.text;
  FilterProgram program = program_of(text.substr(1));
  if (const std::string why = kernel_refusal(program); !why.empty())
    throw StartError{ExitStatus::configuration, mistake(why)};
  live.checked = true;
  if (text.front() == kLive) live.filter.emplace(std::move(program));
}

void FilterPrograms::prepare(const FilterPatience& patience) {
  std::array<bool, 2> wanted{};
  for (const std::string& name : interfaces_) {
    const auto kind = link_kind_of(interface_index(name));
    wanted.at(kind ? place_of(kind->link) : 0) = true;
  }
  if (interfaces_.empty()) wanted[0] = true;
  for (const LinkType link : {LinkType::ethernet, LinkType::raw_ip}) {
    const std::lock_guard lock{mutex_};
    Live& live = live_.at(place_of(link));
    if (!wanted.at(place_of(link)) || live.checked || live.filter) continue;
    take(live, compile_live(link, patience.time)->wait(patience.cancel_fd));
  }
}

std::optional<CompiledFilter> FilterPrograms::for_link(LinkType link) {
  const std::lock_guard lock{mutex_};
  Live& live = live_.at(place_of(link));
  if (live.filter) return live.filter;
  if (!live.refusal.empty()) throw StartError{ExitStatus::configuration, live.refusal};
  if (!live.task) live.task = compile_live(link, kReloadFilterPatience);
  const auto outcome = live.task->poll();
  if (!outcome) return std::nullopt;
  live.task.reset();
  try {
    take(live, *outcome);
  } catch (const StartError& error) {
    live.refusal = error.what();
    throw;
  }
  return live.filter;
}

CompiledFilter FilterPrograms::for_file(std::uint32_t link_type, bool swapped, const FilterPatience& patience) {
  const std::lock_guard lock{mutex_};
  for (const File& file : files_) {
    if (file.link_type == link_type && file.swapped == swapped) return file.filter;
  }
  ChildTask task{[this, link_type, swapped] {
                   const Handle handle = file_handle(link_type, swapped);
                   if (!handle) throw std::runtime_error{"libpcap knows no filters for this link type"};
                   return compile(handle.get(), expression_);
                 },
                 ChildTask::Limits{patience.time, kMemoryOctets}};
  const auto outcome = task.wait(patience.cancel_fd);
  if (outcome.state != ChildTask::State::done) refuse(outcome);
  return files_.emplace_back(File{link_type, swapped, CompiledFilter{program_of(outcome.text)}}).filter;
}

const FilterProgram& refuse_everything() noexcept {
  static const FilterProgram kProgram{{BPF_RET | BPF_K, 0, 0, 0}};
  return kProgram;
}

// Both programs count against the limit while one takes the place of the other.  Where they do not fit together the
// old one makes room for one that lets nothing through.
int attach_filter(int fd, const FilterProgram& program, const FilterProgram& old) noexcept {
  int error = attach(fd, program);
  if (error != ENOMEM) return error;
  if (attach(fd, refuse_everything()) != 0) return error;
  error = attach(fd, program);
  if (error != 0) (void)attach(fd, old);
  return error;
}

std::string attach_failure(const FilterProgram& program, int error) {
  const std::string length = "has " + std::to_string(program.size()) + " instructions";
  if (program.size() > BPF_MAXINSNS)
    return length + ", the kernel takes " + std::to_string(BPF_MAXINSNS) + "; make it shorter";
  if (error == ENOMEM)
    return length + ", for which the kernel has no room; make it shorter, or raise net.core.optmem_max" + optmem_now();
  if (error == EINVAL) return "the kernel refuses its program; leave out what makes it jump back, such as protochain";
  return "the kernel does not take it (" + std::string{std::strerror(error)} + ")";
}

std::string kernel_refusal(const FilterProgram& program) {
  // Any socket will do: what is checked, and what it may cost, is the same for all.
  const UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!socket || attach(socket.get(), refuse_everything()) != 0) return {};
  const int error = attach(socket.get(), program);
  return error == 0 ? std::string{} : attach_failure(program, error);
}

std::string registered_link_type_name(std::uint32_t link_type) {
  const Handle handle = file_handle(link_type, false);
  const char* name = handle ? ::pcap_datalink_val_to_name(::pcap_datalink(handle.get())) : nullptr;
  return name == nullptr ? "" : name;
}

}  // namespace whiteowl
