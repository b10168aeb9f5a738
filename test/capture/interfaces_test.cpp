// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/interfaces.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <span>

using namespace whiteowl;

TEST_CASE("loopback is among the interfaces of any host") {
  const auto interfaces = list_interfaces();
  const auto lo =
      std::find_if(interfaces.begin(), interfaces.end(), [](const InterfaceInfo& i) { return i.name == "lo"; });
  REQUIRE(lo != interfaces.end());
  CHECK(lo->loopback);
  CHECK_FALSE(lo->has_mac);
  CHECK(lo->mtu > 0);
  if (lo->up) CHECK(std::find(lo->addresses.begin(), lo->addresses.end(), "127.0.0.1") != lo->addresses.end());
}

TEST_CASE("the table aligns its columns and says what is not known") {
  InterfaceInfo first;
  first.name = "enp1s0f0";
  first.up = first.running = first.has_mac = first.offloads.gro = true;
  first.strips_vlan_tags = true;
  first.speed_mbps = 10'000;
  first.driver = "ixgbe";
  first.rx_queues = 8;
  first.mtu = 9000;
  first.mac = MacAddress{{2, 0, 0, 0, 0, 1}};
  first.addresses = {"192.0.2.1", "2001:db8::1"};
  InterfaceInfo second;
  second.name = "tun0";
  second.mtu = 1500;
  const InterfaceInfo both[] = {first, second};
  CHECK(interface_table(both) ==
        "NAME      STATE  SPEED      DRIVER  RXQ  MTU   MAC                OFFLOADS  ADDRESSES\n"
        "enp1s0f0  up     10 Gbit/s  ixgbe   8    9000  02:00:00:00:00:01  gro vlan  192.0.2.1 2001:db8::1\n"
        "tun0      down   -          -       -    1500  -                  -         -\n");
}

TEST_CASE("a name cannot write to the terminal") {
  InterfaceInfo named;
  named.name = "a\x1b[2J\xff";
  CHECK(interface_table(std::span{&named, 1}).find("\na\\x1b[2J\\xff  down") != std::string::npos);
}

TEST_CASE("a mistyped interface is answered with the nearest name") {
  CHECK(no_such_interface("l0").find("no interface \"l0\"") != std::string::npos);
  CHECK(no_such_interface("lo0").find("did you mean \"lo\"?") != std::string::npos);
  CHECK(no_such_interface("quite-another").find("there are: ") != std::string::npos);
}

TEST_CASE("features of an interface that does not exist are not known") {
  CHECK_FALSE(super_segment_features("no-such-if0").any());
}
