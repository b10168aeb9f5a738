// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/settings.hpp"

#include <doctest/doctest.h>

#include "whiteowl/base/error.hpp"

using namespace whiteowl;

namespace {

std::string with(std::initializer_list<std::pair<const char*, const char*>> given) {
  try {
    Settings settings;
    for (const auto& [key, value] : given) settings.set_from_command_line(key, value, "--set");
    static_cast<void>(settings.finish());
    return "taken";
  } catch (const StartError& error) {
    CHECK(error.status() == ExitStatus::configuration);
    return error.what();
  }
}

}  // namespace

TEST_CASE("settings that do not go together are refused at the one that was given") {
  CHECK(with({{"capture.interface", "a,b,c"}, {"export.interface_index", "1,2"}}) ==
        "--set export.interface_index: there are 2 numbers for 3 interfaces; give one for all, or one for each");
  CHECK(with({{"capture.interface", "a"}, {"export.interface_index", "1,2"}}) ==
        "--set export.interface_index: there are 2 numbers for 1 interface; give one for all, or one for each");
  CHECK(with({{"capture.interface", "a,b"}, {"export.interface_index", "1,2"}}) == "taken");
  CHECK(with({{"capture.interface", "a,b"}, {"export.interface_index", "7"}}) == "taken");
  CHECK(with({{"export.fields", ""}}) ==
        "--set export.fields: no fields: say standard, extended or a list of names (--list-fields shows all)");
  CHECK(with({{"export.fields", "extended"}}) == "taken");
  CHECK(with({{"export.fields", "sourceIPv4Addres"}}).rfind("--set export.fields: ", 0) == 0);
  CHECK(with({{"export.enterprise_number", "29305"}}) ==
        "--set export.enterprise_number: 29305 marks reverse elements (RFC 5103) and cannot be ours");
  CHECK(with({{"export.template_id", "65520"}}) == "taken");
  CHECK(with({{"export.template_id", "65521"}}) ==
        "--set export.template_id: 65521 is out of range; allowed: 256 to 65520");
  CHECK(with({{"export.mtu", "575"}}) == "--set export.mtu: 575 is out of range; allowed: 576 to 65535, or auto");
  CHECK(with({{"export.active_timeout", "0"}}) == "--set export.active_timeout: 0 is too short; allowed: 1ms or more");
}

TEST_CASE("an unknown key is answered with the nearest one, first in its block") {
  CHECK(with({{"export.activ_timeout", "1s"}}) ==
        "--set export.activ_timeout: there is no such setting; did you mean export.active_timeout?");
  CHECK(with({{"capture.collector_ip", "x"}}) ==
        "--set capture.collector_ip: there is no such setting; did you mean export.collector_ip?");
  CHECK(with({{"interface", "x"}}) == "--set interface: there is no such setting; did you mean capture.interface?");
  CHECK(with({{"flw.max_flows", "1"}}) ==
        "--set flw.max_flows: there is no such setting; did you mean flow.max_flows?");
  CHECK(with({{"flw.maxflows", "1"}}) == "--set flw.maxflows: there is no such setting; did you mean flow.max_flows?");
  CHECK(with({{"tcp.zzzzzz", "1"}}) == "--set tcp.zzzzzz: there is no such setting; --print-config lists them all");
}

TEST_CASE("what several settings say together is put together") {
  Settings settings;
  settings.set_from_command_line("export.collector_ip", "2001:db8::7", "-collector");
  settings.set_from_command_line("export.collector_port", "4739", "-collector");
  settings.set_from_command_line("export.collectors", "tcp://192.0.2.9,udp://host:1", "--set");
  settings.set_from_command_line("export.track_tcp_performance", "false", "--set");
  const Config config = settings.finish();
  CHECK(config.exporter.collectors ==
        std::vector<std::string>{"[2001:db8::7]:4739", "tcp://192.0.2.9", "udp://host:1"});
  CHECK_FALSE(config.tcp.track);
  CHECK_FALSE(config.ipfix.tcp_fields);
}
