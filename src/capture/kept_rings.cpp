// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/kept_rings.hpp"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include "whiteowl/base/wire.hpp"
#include "whiteowl/capture/fanout.hpp"
#include "whiteowl/capture/interfaces.hpp"
#include "whiteowl/capture/ring_source.hpp"

namespace whiteowl {
namespace {

std::optional<int> number_of(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, level, option, &value, &size) != 0) return std::nullopt;
  return value;
}

bool is_bound_to(int fd, int interface_index) {
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 && address.sll_family == AF_PACKET &&
         address.sll_ifindex == interface_index && address.sll_protocol == from_network<std::uint16_t>(ETH_P_ALL);
}

bool has_filter(int fd, const std::vector<FilterInstruction>& program) {
  std::vector<sock_filter> attached(BPF_MAXINSNS);
  auto count = static_cast<socklen_t>(attached.size());  // of instructions, not octets
  if (::getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, attached.data(), &count) != 0) return false;
  const auto equal = [](const sock_filter& a, const FilterInstruction& b) {
    return a.code == b.code && a.jt == b.jump_true && a.jf == b.jump_false && a.k == b.operand;
  };
  attached.resize(count);
  return std::equal(attached.begin(), attached.end(), program.begin(), program.end(), equal);
}

// Why the socket is not the ring of `interface`; empty if it is.
std::string difference(int fd, int interface_index, const std::vector<FilterInstruction>& program, std::size_t octets) {
  if (number_of(fd, SOL_SOCKET, SO_DOMAIN) != AF_PACKET || number_of(fd, SOL_SOCKET, SO_TYPE) != SOCK_RAW ||
      number_of(fd, SOL_PACKET, PACKET_VERSION) != TPACKET_V3)
    return "it is no ring of ours";
  if (!is_bound_to(fd, interface_index)) return "the interface is another one now";
  if (!has_filter(fd, program)) return "bpf_filter or snap_len changed";
  try {
    // The kernel maps a ring as a whole or not at all.
    const Mapping whole{fd, octets};
  } catch (const std::system_error&) {
    return "the ring has another size";
  }
  return {};
}

std::uint16_t group_of(int fd) {
  return static_cast<std::uint16_t>(number_of(fd, SOL_PACKET, PACKET_FANOUT).value_or(0));
}
int group_type_of(int fd) { return number_of(fd, SOL_PACKET, PACKET_FANOUT).value_or(0) >> 16U; }

// The sockets of one interface, by worker; all there.
std::optional<std::vector<UniqueFd>> take_all(std::vector<KeptRing>& kept, const std::vector<std::string>& names) {
  const auto at = [&](const std::string& name) {
    return std::find_if(kept.begin(), kept.end(), [&](const KeptRing& ring) { return ring.name == name; });
  };
  if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return at(name) == kept.end(); }))
    return std::nullopt;
  std::vector<UniqueFd> sockets;
  for (const std::string& name : names) {
    const auto found = at(name);
    sockets.push_back(std::move(found->socket));
    kept.erase(found);
  }
  return sockets;
}

bool is_ring(const KeptRing& kept) { return kept.name.starts_with("ring"); }

class Heir {
 public:
  Heir(const CaptureSettings& settings, std::uint32_t workers, FilterPrograms& filter)
      : settings_{settings},
        workers_{workers},
        octets_{ring_geometry(settings, workers).octets()},
        in_group_{needs_group(settings, workers)},
        filter_{filter} {}

  // Why these sockets cannot go on as the rings of the interface; empty if they can.
  [[nodiscard]] std::string refusal(std::size_t interface, const std::vector<UniqueFd>& sockets) const {
    const int index = interface_index(settings_.interfaces[interface]);
    const auto kind = link_kind_of(index);
    if (!kind || !interface_is_up(index)) return "the interface is down or away";
    const auto filter = filter_.for_link(kind->link);
    if (!filter) return "the filter is not compiled yet";
    for (const UniqueFd& socket : sockets) {
      if (std::string why = difference(socket.get(), index, filter->program(), octets_); !why.empty()) return why;
      if (group_of(socket.get()) != group_of(sockets.front().get()) ||
          group_type_of(socket.get()) != group_type_of(sockets.front().get()))
        return "its rings are in different groups";
    }
    const std::uint16_t group = group_of(sockets.front().get());
    if (in_group_ == (group == 0)) return "fanout_group changed";
    if (!in_group_) return {};
    const std::uint16_t first = first_group(group, interface);
    if (settings_.fanout_group != 0 && first != settings_.fanout_group) return "fanout_group changed";
    if (id_ != 0 && first != id_) return "its group does not go with that of another interface";
    return {};
  }
  void accept(std::size_t interface, const std::vector<UniqueFd>& sockets) {
    if (in_group_) id_ = first_group(group_of(sockets.front().get()), interface);
  }
  [[nodiscard]] std::uint16_t id() const noexcept { return id_; }
  [[nodiscard]] std::vector<std::string> names(std::size_t interface) const {
    std::vector<std::string> names;
    for (std::uint32_t worker = 0; worker < workers_; ++worker)
      names.push_back(ring_name(settings_, worker, workers_, interface));
    return names;
  }

 private:
  // Of the group of interface 0, when that of interface `interface` is `group`.
  static std::uint16_t first_group(std::uint16_t group, std::size_t interface) {
    return static_cast<std::uint16_t>((group + 0xFFFFU - 1U - interface) % 0xFFFFU + 1U);
  }

  const CaptureSettings& settings_;
  std::uint32_t workers_;
  std::size_t octets_;
  bool in_group_;
  FilterPrograms& filter_;
  std::uint16_t id_ = 0;
};

}  // namespace

std::string ring_name(const CaptureSettings& settings, std::uint32_t worker, std::uint32_t workers,
                      std::size_t interface) {
  const RingGeometry geometry = ring_geometry(settings, workers);
  // The last part is what the kernel would not tell.
  const auto digit = [](bool on) { return on ? '1' : '0'; };
  return "ring1-" + std::to_string(interface) + '-' + std::to_string(worker) + "-of-" + std::to_string(workers) + '-' +
         std::to_string(geometry.block_octets) + 'x' + std::to_string(geometry.blocks) + "-p" +
         digit(settings.promiscuous) + 'l' + digit(settings.lock_filter) + 'd' + digit(settings.defragment) + 'h' +
         digit(settings.timestamps == TimeStamps::hardware) + 'm' +
         std::to_string(static_cast<int>(settings.fanout_mode)) + 't' + std::to_string(settings.tunnel_depth);
}

Inheritance inherit_rings(const CaptureSettings& settings, std::uint32_t workers, std::vector<KeptRing> kept,
                          std::shared_ptr<FilterPrograms> filter) {
  Inheritance result;
  for (std::uint32_t worker = 0; worker < workers; ++worker) result.sockets.emplace_back(settings.interfaces.size());
  if (kept.empty()) return result;
  if (!filter) filter = compile_filter(settings);
  Heir heir{settings, workers, *filter};
  for (std::size_t interface = 0; interface < settings.interfaces.size(); ++interface) {
    const std::string& name = settings.interfaces[interface];
    auto sockets = take_all(kept, heir.names(interface));
    if (!sockets && std::none_of(kept.begin(), kept.end(), is_ring)) continue;
    if (!sockets) {
      result.remarks.push_back(name + ": new rings, as those of the last run were of another size, number or kind");
      continue;
    }
    if (const std::string why = heir.refusal(interface, *sockets); !why.empty()) {
      result.remarks.push_back(name + ": new rings instead of those of the last run: " + why);
      const auto names = heir.names(interface);
      for (std::size_t i = 0; i < names.size(); ++i) result.refused.push_back({names[i], std::move((*sockets)[i])});
      continue;
    }
    heir.accept(interface, *sockets);
    result.taken.push_back(name);
    for (std::size_t worker = 0; worker < workers; ++worker)
      result.sockets[worker][interface] = std::move((*sockets)[worker]);
  }
  result.fanout_id = heir.id();
  for (KeptRing& other : kept) result.refused.push_back(std::move(other));
  return result;
}

}  // namespace whiteowl
