// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/steering.hpp"

#include <linux/filter.h>

#include <utility>

#include "whiteowl/packet/headers.hpp"
#include "whiteowl/packet/packet.hpp"

namespace whiteowl {
namespace {

constexpr std::uint32_t kOutgoing = 4;  // PACKET_OUTGOING
constexpr std::uint32_t kAncillary = static_cast<std::uint32_t>(SKF_AD_OFF);

// Scratch memory of the program.
enum Slot : std::uint32_t {
  kAddresses,  // of the last IP header
  kPorts,
  kAt,        // where that header begins
  kNext,      // what stands behind it
  kEnd,       // behind the last octet
  kProtocol,  // number of what stands behind it
  kFragment,  // not 0: part of a datagram
  kType,      // EtherType of what comes next
  kFirst,     // intermediate results
  kSecond,
};

// Classic BPF with jumps of any distance, forward only.  X is where we are, A is calculated with.
class Assembler {
 public:
  using Label = std::size_t;

  Label label() {
    places_.push_back(0);
    return places_.size() - 1;
  }
  void place(Label label) { places_[label] = code_.size(); }
  void go(Label to) {
    jumps_.emplace_back(code_.size(), to);
    put(BPF_JMP | BPF_JA, 0);
  }
  // Each: A is compared with `value`.
  void if_equal(std::uint32_t value, Label to) { branch(BPF_JEQ | BPF_K, value, true, to); }
  void if_not_equal(std::uint32_t value, Label to) { branch(BPF_JEQ | BPF_K, value, false, to); }
  void if_any_bit(std::uint32_t bits, Label to) { branch(BPF_JSET | BPF_K, bits, true, to); }
  void if_no_bit(std::uint32_t bits, Label to) { branch(BPF_JSET | BPF_K, bits, false, to); }
  void if_below(std::uint32_t value, Label to) { branch(BPF_JGE | BPF_K, value, false, to); }
  void if_above_x(Label to) { branch(BPF_JGT | BPF_X, 0, true, to); }

  // Octets behind X.
  void octet(std::uint32_t offset) { put(BPF_LD | BPF_B | BPF_IND, offset); }
  void half(std::uint32_t offset) { put(BPF_LD | BPF_H | BPF_IND, offset); }
  void word(std::uint32_t offset) { put(BPF_LD | BPF_W | BPF_IND, offset); }
  void ancillary(std::uint32_t which) { put(BPF_LD | BPF_W | BPF_ABS, kAncillary + which); }
  void length() { put(BPF_LD | BPF_W | BPF_LEN, 0); }
  void constant(std::uint32_t value) { put(BPF_LD | BPF_IMM, value); }
  void load(Slot slot) { put(BPF_LD | BPF_MEM, slot); }
  void load_x(Slot slot) { put(BPF_LDX | BPF_MEM, slot); }
  void store(Slot slot) { put(BPF_ST, slot); }
  void store_x(Slot slot) { put(BPF_STX, slot); }
  void to_x() { put(BPF_MISC | BPF_TAX, 0); }
  void from_x() { put(BPF_MISC | BPF_TXA, 0); }

  void add(std::uint32_t value) { put(BPF_ALU | BPF_ADD | BPF_K, value); }
  void add_x() { put(BPF_ALU | BPF_ADD | BPF_X, 0); }
  void xor_x() { put(BPF_ALU | BPF_XOR | BPF_X, 0); }
  void keep_bits(std::uint32_t bits) { put(BPF_ALU | BPF_AND | BPF_K, bits); }
  void shift_left(std::uint32_t bits) { put(BPF_ALU | BPF_LSH | BPF_K, bits); }
  void shift_right(std::uint32_t bits) { put(BPF_ALU | BPF_RSH | BPF_K, bits); }
  void multiply(std::uint32_t value) { put(BPF_ALU | BPF_MUL | BPF_K, value); }
  void give_back() { put(BPF_RET | BPF_A, 0); }

  // X moves on by a constant, or to A.
  void step(std::uint32_t octets) {
    from_x();
    add(octets);
    to_x();
  }

  std::vector<FilterInstruction> take() {
    for (const auto& [from, to] : jumps_) code_[from].operand = static_cast<std::uint32_t>(places_[to] - from - 1);
    return std::move(code_);
  }

 private:
  void put(std::uint32_t code, std::uint32_t operand) {
    code_.push_back({static_cast<std::uint16_t>(code), 0, 0, operand});
  }
  // Over a jump that reaches everywhere: conditional ones reach 255 instructions.
  void branch(std::uint32_t comparison, std::uint32_t value, bool when, Label to) {
    put(BPF_JMP | comparison, value);
    (when ? code_.back().jump_false : code_.back().jump_true) = 1;
    go(to);
  }

  std::vector<FilterInstruction> code_;
  std::vector<std::size_t> places_;
  std::vector<std::pair<std::size_t, Label>> jumps_;
};

class Builder : private Assembler {
 public:
  Builder(const SteeringLimits& limits, std::uint32_t link_octets) : limits_{limits}, link_octets_{link_octets} {}

  std::vector<FilterInstruction> build() {
    finish_ = label();
    begin();
    for (std::uint32_t depth = 0; depth <= limits_.tunnels; ++depth) {
      place(layer_);
      layer(depth < limits_.tunnels);
    }
    place(finish_);
    finish();
    return take();
  }

 private:
  // A program sees arriving packets from their network header, departing ones from their link header.  SKF_NET_OFF
  // would mean the network header in both, but it does not reach what the card or a forwarding kernel left in pages,
  // and that is where inner headers may be.
  void begin() {
    layer_ = label();
    const Label known = label();
    constant(0);
    for (const Slot slot : {kAddresses, kPorts, kFragment}) store(slot);
    to_x();
    length();
    store(kEnd);
    ancillary(SKF_AD_PROTOCOL);
    store(kType);
    if (link_octets_ > 0) {
      ancillary(SKF_AD_PKTTYPE);
      if_not_equal(kOutgoing, known);
      need(link_octets_);
      half(link_octets_ - 2);
      store(kType);
      step(link_octets_);
    }
    place(known);
    // An unknown type need not be one: whatever begins like an IP header is taken for one.
    type(layer_);
  }

  // Ends here unless so many octets are there.
  void need(std::uint32_t octets) {
    store_x(kFirst);
    from_x();
    add(octets);
    load_x(kEnd);
    if_above_x(finish_);
    load_x(kFirst);
  }

  // X at an IP header.
  void layer(bool enters) {
    const Label v6 = label(), transport = label(), next_layer = label();
    store_x(kAt);
    need(sizeof(Ipv4Header));
    octet(0);
    shift_right(4);
    if_equal(6, v6);
    if_not_equal(4, finish_);
    ipv4();
    go(transport);
    place(v6);
    need(sizeof(Ipv6Header));
    ipv6(transport);
    place(transport);
    layer_ = next_layer;
    behind_ip(enters);
  }

  void ipv4() {
    octet(0);
    keep_bits(0x0F);
    shift_left(2);
    if_below(sizeof(Ipv4Header), finish_);
    add_x();
    store(kNext);
    octet(9);
    store(kProtocol);
    word(12);
    store(kFirst);
    word(16);
    load_x(kFirst);
    xor_x();
    store(kAddresses);
    load_x(kAt);
    half(6);
    keep_bits(0x3FFF);
    store(kFragment);
    no_ports_yet();
    load(kFragment);
    if_any_bit(0x1FFF, finish_);
    load_x(kNext);
  }

  void ipv6(Label transport) {
    octet(6);
    store(kProtocol);
    word(8);
    store(kFirst);
    for (std::uint32_t at = 12; at < sizeof(Ipv6Header); at += 4) {
      load_x(kAt);
      word(at);
      load_x(kFirst);
      xor_x();
      store(kFirst);
    }
    store(kAddresses);
    constant(0);
    store(kFragment);
    no_ports_yet();
    load_x(kAt);
    step(sizeof(Ipv6Header));
    store_x(kNext);
    for (std::uint32_t i = 0; i < limits_.extensions; ++i) extension(transport);
  }

  // X at what kProtocol says; goes on with it if it is no extension header.
  void extension(Label transport) {
    const Label options = label(), fragment = label(), behind = label();
    load(kProtocol);
    for (const auto number : {ip_protocol::kHopByHop, ip_protocol::kRouting, ip_protocol::kDestinationOptions})
      if_equal(number, options);
    if_equal(ip_protocol::kFragment, fragment);
    go(transport);
    place(fragment);
    need(sizeof(Ipv6FragmentHeader));
    half(2);
    keep_bits(0xFFF9);
    store(kFragment);
    if_any_bit(0xFFF8, finish_);
    octet(0);
    store(kProtocol);
    constant(sizeof(Ipv6FragmentHeader));
    go(behind);
    place(options);
    need(sizeof(Ipv6FragmentHeader));
    octet(0);
    store(kProtocol);
    octet(1);
    add(1);
    shift_left(3);
    place(behind);
    add_x();
    to_x();
    store_x(kNext);
  }

  void no_ports_yet() {
    constant(0);
    store(kPorts);
  }
  // X at them.
  void ports() {
    half(0);
    store(kFirst);
    half(2);
    load_x(kFirst);
    xor_x();
    store(kPorts);
    load_x(kNext);
  }

  // X at it, kProtocol says what it is.
  void behind_ip(bool enters) {
    const Label plain = label(), udp = label(), gre = label(), ether_ip = label(), authenticated = label();
    load(kProtocol);
    for (const auto number : {ip_protocol::kTcp, ip_protocol::kSctp, ip_protocol::kDccp, ip_protocol::kUdpLite})
      if_equal(number, plain);
    if_equal(ip_protocol::kUdp, enters ? udp : plain);
    if (enters) {
      if_equal(ip_protocol::kIpIp, layer_);
      if_equal(ip_protocol::kIpv6, layer_);
      if_equal(ip_protocol::kGre, gre);
      if_equal(ip_protocol::kEtherIp, ether_ip);
      if_equal(ip_protocol::kAh, authenticated);
    }
    go(finish_);
    place(plain);
    load(kFragment);
    if_any_bit(0xFFFF, finish_);
    need(sizeof(PortPair));
    ports();
    go(finish_);
    if (!enters) return;
    const Label ethernet = label(), any_type = label(), geneve_type = label();
    place(udp);
    enter_udp(ethernet, geneve_type);
    place(ether_ip);
    enter_ether_ip(ethernet);
    place(authenticated);
    enter_authenticated();
    place(gre);
    enter_gre(ethernet);
    place(geneve_type);
    load(kType);
    if_not_equal(ethertype::kTransparentEthernet, any_type);
    place(ethernet);
    need(sizeof(EthernetHeader));
    half(12);
    store(kType);
    step(sizeof(EthernetHeader));
    place(any_type);
    type(finish_);
  }

  // X behind a type field, kType what it says: over tags and labels to the IP header.
  void type(Label unknown) {
    const Label mpls = label(), pppoe = label();
    for (std::uint32_t i = 0; i < limits_.tags; ++i) tag();
    load(kType);
    for (const auto ip : {ethertype::kIpv4, ethertype::kIpv6}) if_equal(ip, layer_);
    for (const auto labels : {ethertype::kMpls, ethertype::kMplsUpstream}) if_equal(labels, mpls);
    if_equal(ethertype::kPppoeSession, pppoe);
    go(unknown);
    place(pppoe);
    need(sizeof(PppoeHeader) + 2);
    octet(1);
    if_not_equal(0, finish_);
    step(sizeof(PppoeHeader) + 2);
    go(layer_);
    place(mpls);
    for (std::uint32_t i = 0; i < limits_.labels; ++i) {
      need(sizeof(MplsEntry));
      word(0);
      store(kFirst);
      step(sizeof(MplsEntry));
      load(kFirst);
      if_any_bit(0x100, layer_);
    }
    go(finish_);
  }

  void tag() {
    const Label tagged = label(), behind = label();
    load(kType);
    for (const auto tpid : {ethertype::kVlan, ethertype::kProviderVlan, ethertype::kOldProviderVlan})
      if_equal(tpid, tagged);
    go(behind);
    place(tagged);
    need(sizeof(VlanTag));
    half(2);
    store(kType);
    step(sizeof(VlanTag));
    place(behind);
  }

  void enter_udp(Label ethernet, Label geneve_type) {
    const Label tunnels = label(), vxlan = label(), geneve = label(), gtpu = label(), teredo = label();
    need(sizeof(PortPair));
    load(kFragment);
    if_any_bit(0xFFFF, tunnels);
    ports();
    place(tunnels);
    need(sizeof(UdpHeader) + sizeof(VxlanHeader));  // none of the others is shorter with what it carries
    for (const std::uint32_t destination_then_source : {2U, 0U}) {
      half(destination_then_source);
      if_equal(tunnel_port::kVxlan, vxlan);
      if_equal(tunnel_port::kOldVxlan, vxlan);
      if_equal(tunnel_port::kGeneve, geneve);
      if_equal(tunnel_port::kGtpu, gtpu);
      if_equal(tunnel_port::kTeredo, teredo);
    }
    go(finish_);
    place(vxlan);
    octet(sizeof(UdpHeader));
    if_no_bit(0x08, finish_);
    step(sizeof(UdpHeader) + sizeof(VxlanHeader));
    go(ethernet);
    place(geneve);
    half(sizeof(UdpHeader) + 2);
    store(kType);
    octet(sizeof(UdpHeader));
    if_any_bit(0xC0, finish_);
    shift_left(2);
    add(sizeof(UdpHeader) + sizeof(GeneveHeader));
    add_x();
    to_x();
    go(geneve_type);
    place(gtpu);
    enter_gtpu();
    place(teredo);
    enter_teredo();
  }

  void enter_gtpu() {
    const Label optional = label(), extended = label();
    half(sizeof(UdpHeader));
    keep_bits(0xF0FF);
    if_not_equal(0x30FF, finish_);
    octet(sizeof(UdpHeader));
    if_any_bit(0x07, optional);
    step(sizeof(UdpHeader) + sizeof(GtpuHeader));
    go(layer_);
    place(optional);
    store(kSecond);
    step(sizeof(UdpHeader) + sizeof(GtpuHeader));
    need(sizeof(GtpuOptional));
    octet(3);
    store(kType);
    step(sizeof(GtpuOptional));
    load(kSecond);
    if_any_bit(0x04, extended);
    go(layer_);
    place(extended);
    for (std::uint32_t i = 0; i < limits_.gtpu_extensions; ++i) {
      load(kType);
      if_equal(0, layer_);
      need(4);
      octet(0);
      if_equal(0, finish_);
      shift_left(2);
      add_x();
      add(static_cast<std::uint32_t>(-1));  // the last octet says what comes next
      to_x();
      need(1);
      octet(0);
      store(kType);
      step(1);
    }
    load(kType);
    if_equal(0, layer_);
    go(finish_);
  }

  void enter_teredo() {
    const Label origin = label(), ipv6 = label();
    step(sizeof(UdpHeader));
    half(0);
    if_not_equal(1, origin);
    store_x(kSecond);
    octet(2);
    store(kFirst);
    octet(3);
    load_x(kFirst);
    add_x();
    load_x(kSecond);
    add_x();
    add(13);
    to_x();
    need(2);
    place(origin);
    half(0);
    if_not_equal(0, ipv6);
    step(8);
    place(ipv6);
    need(sizeof(Ipv6Header));
    octet(0);
    shift_right(4);
    if_equal(6, layer_);
    go(finish_);
  }

  void enter_ether_ip(Label ethernet) {
    need(sizeof(EtherIpHeader));
    octet(0);
    shift_right(4);
    if_not_equal(3, finish_);
    step(sizeof(EtherIpHeader));
    go(ethernet);
  }

  void enter_authenticated() {
    need(sizeof(AuthenticationHeader));
    octet(0);
    store(kType);
    octet(1);
    add(2);
    shift_left(2);
    add_x();
    to_x();
    load(kType);
    if_equal(ip_protocol::kIpIp, layer_);
    if_equal(ip_protocol::kIpv6, layer_);
    go(finish_);
  }

  // Falls through to the type.
  void enter_gre(Label ethernet) {
    const Label erspan2 = label(), erspan3 = label(), other = label();
    need(sizeof(GreHeader));
    half(2);
    store(kType);
    half(0);
    store(kFragment);  // the flags; what was in the slot is not needed any more
    if_any_bit(0x4007, finish_);
    constant(sizeof(GreHeader));
    store(kSecond);
    for (const std::uint32_t field : {15U, 13U, 12U}) {
      load(kFragment);
      shift_right(field);
      keep_bits(1);
      shift_left(2);
      load_x(kSecond);
      add_x();
      store(kSecond);
    }
    load_x(kNext);
    add_x();
    to_x();
    load(kType);
    if_equal(ethertype::kErspan2, erspan2);
    if_not_equal(ethertype::kErspan3, other);
    need(sizeof(Erspan3Header));
    half(10);
    if_any_bit(0x7C00, finish_);
    keep_bits(1);
    shift_left(3);
    add(sizeof(Erspan3Header));
    go(erspan3);
    place(erspan2);  // type I has no header of its own, and no sequence number
    load(kFragment);
    keep_bits(0x1000);
    shift_right(9);
    place(erspan3);
    add_x();
    to_x();
    go(ethernet);
    place(other);
  }

  void finish() {
    load(kPorts);
    multiply(0x85EBCA77U);
    to_x();
    load(kAddresses);
    multiply(0x9E3779B1U);
    add_x();
    to_x();
    shift_right(16);
    xor_x();
    multiply(0xC2B2AE3DU);
    to_x();
    shift_right(15);
    xor_x();
    give_back();
  }

  SteeringLimits limits_;
  std::uint32_t link_octets_;
  Label finish_ = 0;
  Label layer_ = 0;  // the next IP header
};

}  // namespace

std::vector<FilterInstruction> steering_program(const SteeringLimits& limits, std::uint32_t link_octets) {
  return Builder{limits, link_octets}.build();
}

}  // namespace whiteowl
