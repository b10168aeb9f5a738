// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/interfaces.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <system_error>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"
#include "whiteowl/base/nearest.hpp"
#include "whiteowl/base/text.hpp"

namespace whiteowl {

namespace {

ifreq request_for(const std::string& interface) noexcept {
  ifreq request{};
  std::memcpy(request.ifr_name, interface.data(), std::min(interface.size(), sizeof request.ifr_name - 1));
  return request;
}

template <typename Command>
bool ethtool(int fd, const std::string& interface, Command& command) noexcept {
  ifreq request = request_for(interface);
  request.ifr_data = reinterpret_cast<char*>(&command);
  return ::ioctl(fd, SIOCETHTOOL, &request) == 0;
}

bool ethtool_flag(int fd, const std::string& interface, std::uint32_t command, std::uint32_t mask) noexcept {
  ethtool_value value{};
  value.cmd = command;
  return ethtool(fd, interface, value) && (value.data & mask) != 0;
}

SuperSegmentFeatures features(int fd, const std::string& interface) noexcept {
  return {ethtool_flag(fd, interface, ETHTOOL_GGRO, ~0U), ethtool_flag(fd, interface, ETHTOOL_GFLAGS, ETH_FLAG_LRO)};
}

std::string driver(int fd, const std::string& interface) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  if (!ethtool(fd, interface, info)) return {};
  return {info.driver, ::strnlen(info.driver, sizeof info.driver)};
}

// Negative and unreadable are both "not known": the kernel says -1 for a link without a speed.
std::uint32_t speed_mbps(const std::string& interface) {
  long speed = 0;
  std::ifstream file{"/sys/class/net/" + interface + "/speed"};
  return file >> speed && speed > 0 ? static_cast<std::uint32_t>(speed) : 0;
}

std::uint32_t rx_queues(const std::string& interface) {
  std::uint32_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{"/sys/class/net/" + interface + "/queues", error})
    count += entry.path().filename().string().starts_with("rx-") ? 1U : 0U;
  return count;
}

std::string address_text(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* octets = address->sa_family == AF_INET
                           ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr)
                           : &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  return ::inet_ntop(address->sa_family, octets, text.data(), text.size()) == nullptr ? "" : text.data();
}

InterfaceInfo describe(int fd, const std::string& name, unsigned flags) {
  InterfaceInfo info;
  info.name = name;
  info.up = (flags & IFF_UP) != 0;
  info.running = (flags & IFF_RUNNING) != 0;
  info.loopback = (flags & IFF_LOOPBACK) != 0;
  info.speed_mbps = speed_mbps(name);
  info.rx_queues = rx_queues(name);
  info.driver = driver(fd, name);
  info.offloads = features(fd, name);
  info.strips_vlan_tags = ethtool_flag(fd, name, ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN);
  ifreq request = request_for(name);
  if (::ioctl(fd, SIOCGIFMTU, &request) == 0) info.mtu = static_cast<std::uint32_t>(request.ifr_mtu);
  request = request_for(name);
  if (::ioctl(fd, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
    info.has_mac = true;
    std::memcpy(info.mac.octets.data(), request.ifr_hwaddr.sa_data, info.mac.octets.size());
  }
  return info;
}

UniqueFd control_socket() { return UniqueFd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)}; }

// Octets that the kernel's answer to a request for a link may have; nothing of it is looked at but its head.
constexpr std::size_t kLinkAnswer = 32'768;
constexpr std::size_t kLongestName = 127;  // ALTIFNAMSIZ of linux/if.h, which net/if.h keeps out, less the closing zero

// Alternative names may be longer than an ioctl() can carry.  See rtnetlink(7), RTM_GETLINK.
int index_of_long_name(const std::string& name) noexcept {
  const UniqueFd fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  struct {
    nlmsghdr head;
    ifinfomsg link;
    rtattr attribute;
    std::array<char, kLongestName + 1> name;
  } request{};
  if (!fd || name.size() >= request.name.size()) return 0;
  request.attribute.rta_type = IFLA_ALT_IFNAME;
  request.attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(name.size() + 1));
  std::memcpy(request.name.data(), name.data(), name.size());
  request.head.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof request.link) + request.attribute.rta_len);
  request.head.nlmsg_type = RTM_GETLINK;
  request.head.nlmsg_flags = NLM_F_REQUEST;
  if (::send(fd.get(), &request, request.head.nlmsg_len, 0) < 0) return 0;
  std::array<std::uint8_t, kLinkAnswer> answer;
  const ssize_t octets = ::recv(fd.get(), answer.data(), answer.size(), 0);
  nlmsghdr head{};
  ifinfomsg link{};
  if (octets < static_cast<ssize_t>(sizeof head + sizeof link)) return 0;
  std::memcpy(&head, answer.data(), sizeof head);
  std::memcpy(&link, answer.data() + NLMSG_HDRLEN, sizeof link);
  return head.nlmsg_type == RTM_NEWLINK ? link.ifi_index : 0;
}

// The kernel's own name; empty if there is no such interface.
std::string name_of(int index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(static_cast<unsigned>(index), name.data()) == nullptr ? "" : name.data();
}

// ARPHRD_ number.
std::optional<unsigned short> hardware_type(int index) {
  const UniqueFd fd = control_socket();
  ifreq request = request_for(name_of(index));
  if (::ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0) return std::nullopt;
  return request.ifr_hwaddr.sa_family;
}

std::string speed_text(std::uint32_t mbps) {
  if (mbps == 0) return "-";
  return mbps % 1000 == 0 ? std::to_string(mbps / 1000) + " Gbit/s" : std::to_string(mbps) + " Mbit/s";
}

std::string joined(const std::vector<std::string>& parts, const char* nothing) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : " ") + part;
  return text.empty() ? nothing : text;
}

constexpr std::size_t kColumns = 9;
using Row = std::array<std::string, kColumns>;

Row row_of(const InterfaceInfo& i) {
  std::vector<std::string> offloads;
  if (i.offloads.gro) offloads.emplace_back("gro");
  if (i.offloads.lro) offloads.emplace_back("lro");
  if (i.strips_vlan_tags) offloads.emplace_back("vlan");
  const char* state = !i.up ? "down" : i.running ? "up" : "no carrier";
  return {one_line(i.name),
          state,
          speed_text(i.speed_mbps),
          i.driver.empty() ? "-" : one_line(i.driver),
          i.rx_queues == 0 ? "-" : std::to_string(i.rx_queues),
          std::to_string(i.mtu),
          i.has_mac ? to_string(i.mac) : "-",
          joined(offloads, "-"),
          joined(i.addresses, "-")};
}

}  // namespace

std::vector<InterfaceInfo> list_interfaces() {
  ifaddrs* list = nullptr;
  checked(::getifaddrs(&list), "getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner{list, &::freeifaddrs};
  const UniqueFd fd = control_socket();
  std::vector<InterfaceInfo> found;
  // Each interface comes once by itself and once for each address; addresses of an alias (eth0:1) belong to eth0.
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    std::string name{entry->ifa_name};
    name.erase(std::min(name.find(':'), name.size()));
    auto at = std::find_if(found.begin(), found.end(), [&](const InterfaceInfo& info) { return info.name == name; });
    if (at == found.end()) at = found.insert(found.end(), describe(fd.get(), name, entry->ifa_flags));
    if (entry->ifa_addr == nullptr) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family == AF_INET || family == AF_INET6) at->addresses.push_back(address_text(entry->ifa_addr));
  }
  for (auto& info : found)
    std::stable_partition(info.addresses.begin(), info.addresses.end(),
                          [](const std::string& a) { return a.find(':') == std::string::npos; });
  return found;
}

std::string interface_table(std::span<const InterfaceInfo> interfaces) {
  std::vector<Row> rows{{"NAME", "STATE", "SPEED", "DRIVER", "RXQ", "MTU", "MAC", "OFFLOADS", "ADDRESSES"}};
  for (const auto& interface : interfaces) rows.push_back(row_of(interface));
  std::array<std::size_t, kColumns> width{};
  for (const auto& row : rows) {
    for (std::size_t column = 0; column < kColumns; ++column)
      width[column] = std::max(width[column], row[column].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t column = 0; column + 1 < kColumns; ++column)
      text += row[column] + std::string(width[column] - row[column].size() + 2, ' ');
    text += row.back() + "\n";
  }
  return text;
}

int interface_index(const std::string& name) noexcept {
  if (name.size() >= IF_NAMESIZE) return index_of_long_name(name);
  return static_cast<int>(::if_nametoindex(name.c_str()));  // alternative names included
}

bool interface_is_up(int index) noexcept {
  const UniqueFd fd = control_socket();
  ifreq request = request_for(name_of(index));
  return ::ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

std::optional<LinkKind> link_kind_of(int index) noexcept {
  switch (hardware_type(index).value_or(ARPHRD_VOID)) {
    case ARPHRD_ETHER:
      return LinkKind{LinkType::ethernet, false};
    case ARPHRD_LOOPBACK:
      return LinkKind{LinkType::ethernet, true};
    case ARPHRD_NONE:  // TUN, WireGuard
    case ARPHRD_PPP:   // the kernel takes the PPP header off before packet sockets see the packet
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_RAWIP:  // mobile broadband
      return LinkKind{LinkType::raw_ip, false};
    default:
      return std::nullopt;
  }
}

std::string not_decoded(const std::string& name, int index) {
  return "capture.interface: " + name + " has hardware type " + std::to_string(hardware_type(index).value_or(0)) +
         " (ARPHRD_ of Linux), which is not decoded";
}

SuperSegmentFeatures super_segment_features(const std::string& interface) noexcept {
  const UniqueFd fd = control_socket();
  return features(fd.get(), name_of(interface_index(interface)));
}

std::string no_such_interface(const std::string& name) {
  std::vector<std::string> names;
  const std::unique_ptr<struct if_nameindex, decltype(&::if_freenameindex)> list{::if_nameindex(), &::if_freenameindex};
  for (const struct if_nameindex* entry = list.get(); entry != nullptr && entry->if_index != 0; ++entry)
    names.emplace_back(entry->if_name);
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string_view near = nearest(name, candidates);
  const std::string line = "capture.interface: no interface \"" + name + "\"";
  if (!near.empty()) return line + "; did you mean \"" + std::string{near} + "\"?";
  return line + "; there are: " + joined(names, "none");
}

}  // namespace whiteowl
