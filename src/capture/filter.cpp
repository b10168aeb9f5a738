// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/filter.hpp"

#include <pcap/pcap.h>

#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <utility>

#include "whiteowl/base/error.hpp"

namespace whiteowl {

struct CompiledFilter::Program {
  std::vector<bpf_insn> instructions;
};

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

std::vector<bpf_insn> compile(pcap_t* handle, const std::string& expression) {
  bpf_program program{};
  if (::pcap_compile(handle, &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    throw StartError{ExitStatus::configuration, "filter \"" + expression + "\": " + trimmed(::pcap_geterr(handle))};
  std::vector<bpf_insn> instructions(program.bf_insns, program.bf_insns + program.bf_len);
  ::pcap_freecode(&program);
  return instructions;
}

std::vector<bpf_insn> accept_all(std::uint32_t snap_len) { return {bpf_insn{BPF_RET | BPF_K, 0, 0, snap_len}}; }

// The same program serves every Ethernet interface, so loopback stands in for one that is down.
Handle live_ethernet_handle(const std::string& interface, std::uint32_t snap_len) {
  Handle handle = live_handle(interface, DLT_EN10MB, snap_len);
  return handle ? std::move(handle) : live_handle("lo", DLT_EN10MB, snap_len);
}

}  // namespace

CompiledFilter::CompiledFilter(std::unique_ptr<Program> program) noexcept : program_{std::move(program)} {}
CompiledFilter::CompiledFilter(CompiledFilter&&) noexcept = default;
CompiledFilter& CompiledFilter::operator=(CompiledFilter&&) noexcept = default;
CompiledFilter::~CompiledFilter() = default;

CompiledFilter CompiledFilter::for_interface(const std::string& expression, const std::string& interface, LinkType link,
                                             std::uint32_t snap_len) {
  auto program = std::make_unique<Program>();
  if (expression.empty()) {
    program->instructions = accept_all(snap_len);
    return CompiledFilter{std::move(program)};
  }
  // Without a link header there is no tag to strip, and libpcap's own handle would be a cooked one.
  const Handle handle = link == LinkType::ethernet ? live_ethernet_handle(interface, snap_len)
                                                   : Handle{::pcap_open_dead(DLT_RAW, static_cast<int>(snap_len))};
  if (!handle)
    throw StartError{ExitStatus::failure, "capture.interface: " + interface +
                                              " is down and the filter cannot be compiled for it: run `ip link set " +
                                              interface + " up`"};
  program->instructions = compile(handle.get(), expression);
  return CompiledFilter{std::move(program)};
}

CompiledFilter CompiledFilter::for_file(const std::string& expression, std::uint32_t link_type, bool swapped) {
  auto program = std::make_unique<Program>();
  if (expression.empty()) {
    program->instructions = accept_all(kWholeFrame);
    return CompiledFilter{std::move(program)};
  }
  const Handle handle = file_handle(link_type, swapped);
  if (!handle)
    throw StartError{ExitStatus::configuration,
                     "filter \"" + expression + "\": libpcap knows no filters for this link type"};
  program->instructions = compile(handle.get(), expression);
  return CompiledFilter{std::move(program)};
}

bool CompiledFilter::matches(const Frame& frame) const noexcept {
  return ::bpf_filter(program_->instructions.data(), frame.data, frame.wire_octets, frame.captured_octets) != 0;
}

std::vector<FilterInstruction> CompiledFilter::program() const {
  std::vector<FilterInstruction> copy;
  copy.reserve(program_->instructions.size());
  for (const auto& from : program_->instructions) copy.push_back({from.code, from.jt, from.jf, from.k});
  return copy;
}

std::string check_filter(const std::string& expression, const std::string& interface) {
  if (expression.empty()) return {};
  try {
    const Handle live = interface.empty() ? nullptr : live_ethernet_handle(interface, kWholeFrame);
    const Handle handle = live ? nullptr : file_handle(DLT_EN10MB, false);
    compile(live ? live.get() : handle.get(), expression);
    return {};
  } catch (const StartError& error) {
    return error.what();
  }
}

std::string registered_link_type_name(std::uint32_t link_type) {
  const Handle handle = file_handle(link_type, false);
  const char* name = handle ? ::pcap_datalink_val_to_name(::pcap_datalink(handle.get())) : nullptr;
  return name == nullptr ? "" : name;
}

}  // namespace whiteowl
