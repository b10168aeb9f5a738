// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/load.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "whiteowl/config/settings.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

// The error line for a file of this text, or "taken".
std::string load(const std::string& yaml) {
  try {
    static_cast<void>(load_config_text(yaml, "c.yaml"));
    return "taken";
  } catch (const StartError& error) {
    CHECK(error.status() == ExitStatus::configuration);
    CHECK(std::string_view{error.what()}.find('\n') == std::string_view::npos);
    return error.what();
  }
}

// All the lines for a file of this text.
std::vector<std::string> all_mistakes(const std::string& yaml) {
  try {
    static_cast<void>(load_config_text(yaml, "c.yaml"));
    return {};
  } catch (const SettingsError& error) {
    return error.lines();
  }
}

// A directory of its own with two files in it that may be read when none is named.
struct Room {
  Room() { std::filesystem::create_directories(path); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  ~Room() { std::filesystem::remove_all(path); }

  [[nodiscard]] std::string file(const std::string& name) const { return path / name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream{file(name)} << text; }

  [[nodiscard]] Invocation parse(std::initializer_list<const char*> arguments) const {
    return parse_invocation({arguments.begin(), arguments.size()}, surroundings);
  }
  // "STATUS: line", or "taken".
  [[nodiscard]] std::string refusal(std::initializer_list<const char*> arguments) const {
    try {
      static_cast<void>(parse(arguments));
      return "taken";
    } catch (const StartError& error) {
      return std::to_string(static_cast<int>(error.status())) + ": " + error.what();
    }
  }

  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("whiteowl-config-" + std::to_string(::getpid()));
  Surroundings surroundings{.config_files = {file("near.yaml"), file("far.yaml")}, .output_is_journal = false};
};

}  // namespace

TEST_CASE("the example of the probe's description is read as written") {
  const Config config = load_config_text(R"(capture:
  interface: "eth0" # Network interface
  promiscuous: true # Capture all packets
  snap_len: 128 # Bytes per packet (headers only)
  bpf_filter: "" # Optional BPF filter
  buffer_size_mb: 64 # Kernel buffer size

export:
  collector_ip: "192.168.100.132"
  collector_port: 2055
  domain_id: 1 # IPFIX observation domain
  template_id: 256 # Template ID (256-65535)
  template_interval: 300s # Template re-send interval
  active_timeout: 60s # Max flow duration before export
  inactive_timeout: 15s # Idle time before export
  interface_index: 1 # SNMP-style interface index
  track_tcp_performance: true # Enable TCP metrics
)",
                                         "config.yaml");
  CHECK(config.capture.interfaces == std::vector<std::string>{"eth0"});
  CHECK(config.exporter.collectors == std::vector<std::string>{"192.168.100.132:2055"});
  CHECK(config.exporter.template_interval == 300s);
}

TEST_CASE("what says nothing leaves the defaults") {
  for (const char* const yaml : {"", "\n", "# nothing\n", "---\n", "capture:\n",
                                 "capture:\n  # interface: eth0\nexport:\n", "{}", "capture: {}\n"}) {
    CAPTURE(yaml);
    CHECK(load(yaml) == "taken");
  }
}

TEST_CASE("every way to write a value or a list is taken") {
  const Config config = load_config_text(
      "capture:\n"
      "  interface:\n    - eth0\n    - 'eth1'\n"
      "  snap_len: \"256\"\n"
      "  bpf_filter: >-\n    tcp port 80\n    or udp\n"
      "  workers: 4\n"
      "  fanout_group: auto\n"
      "decode: {tunnels: inner}\n"
      "export:\n"
      "  interface_index: [7, 8]\n"
      "  collectors: [\"[::1]:2055\", udp://192.0.2.7]\n"
      "  collector_ip: ::1\n"
      "  track_tcp_performance: no\n"
      "  active_timeout: '1m30s'\n"
      "  fields: sourceIPv4Address, packetDeltaCount\n",
      "c.yaml");
  CHECK(config.capture.interfaces == std::vector<std::string>{"eth0", "eth1"});
  CHECK(config.capture.snap_len == 256);
  CHECK(config.capture.bpf_filter == "tcp port 80 or udp");
  CHECK(config.capture.workers == 4);
  CHECK(config.decode.inner);
  CHECK(config.flow.interface_index == std::vector<std::uint32_t>{7, 8});
  CHECK(config.exporter.collectors == std::vector<std::string>{"[::1]:2055", "[::1]:2055", "udp://192.0.2.7"});
  CHECK_FALSE(config.tcp.track);
  CHECK(config.flow.active_timeout == 90s);
  CHECK(config.ipfix.fields == std::vector<std::string>{"sourceIPv4Address", "packetDeltaCount"});
}

TEST_CASE("each mistake in a file is one line with its place") {
  const std::array<std::pair<const char*, const char*>, 32> cases{{
      {"capture:\n  interfce: eth0\n",
       "c.yaml:2:3: capture.interfce: there is no such setting; did you mean capture.interface?"},
      {"cpature:\n  interface: eth0\n",
       "c.yaml:1:1: cpature: there is no such block of settings; did you mean capture?"},
      {"# x\ninterface: eth0\n",
       "c.yaml:2:1: interface: there is no such block of settings; did you mean capture.interface?"},
      {"capture:\n  collector_ip: 192.0.2.1\n",
       "c.yaml:2:3: capture.collector_ip: there is no such setting; did you mean export.collector_ip?"},
      {"capture:\n  snap_len: 1\n  snap_len: 256\n",
       "c.yaml:2:13: capture.snap_len: 1 is out of range; allowed: 54 to 262144"},
      {"capture:\n  snap_len: 128\n\n  snap_len: 256\n", "c.yaml:4:3: capture.snap_len: this stands in line 2 already"},
      {"capture:\n  snap_len: 128\nlog:\ncapture:\n", "c.yaml:4:1: capture: this stands in line 1 already"},
      {"log: &x\n  level: info\ncapture:\n  <<: *x\n",
       "c.yaml:4:3: capture: merge keys (<<) are not supported; write the settings out"},
      {"capture: eth0\n", "c.yaml:1:10: capture: settings are wanted here, each indented on a line of its own"},
      {"- capture\n", "c.yaml:1:1: blocks of settings are wanted here, such as \"capture:\""},
      {"capture\n", "c.yaml:1:1: blocks of settings are wanted here, such as \"capture:\""},
      {"capture:\n---\nexport:\n", "c.yaml:3:1: a second document begins here; the settings are one, without ---"},
      {"capture:\n\tinterface: eth0\n", "c.yaml:2:1: a tab indents this line; YAML wants spaces"},
      {"capture:\n  interface:\nlog:\n",
       "c.yaml:2:3: capture.interface: the value is missing; write one, \"\" for none, or remove the line"},
      {"capture:\n  interface: {a: b}\n",
       "c.yaml:2:14: capture.interface: a value is wanted here, not settings of its own"},
      {"capture:\n  interface: [eth0, [a]]\n",
       "c.yaml:2:21: capture.interface: a list of single values is wanted here"},
      {"capture:\n  interface: [eth0, eth0]\n", "c.yaml:2:21: capture.interface: \"eth0\" is named twice"},
      {"capture:\n  workers: [1, 2]\n", "c.yaml:2:12: capture.workers: one value is wanted here, not a list"},
      {"capture:\n  promiscuous: 1\n", "c.yaml:2:16: capture.promiscuous: \"1\" is not true or false"},
      {"capture:\n  snap_len: 0x80\n", "c.yaml:2:13: capture.snap_len: \"0x80\" is not a whole number"},
      {"capture:\n  fanout_mode: hsah\n",
       "c.yaml:2:16: capture.fanout_mode: \"hsah\" is not one of auto, hash, steer, cpu, queue_mapping, round_robin; "
       "did you mean hash?"},
      {"capture:\n  bpf_filter: !tcp\n",
       "c.yaml:2:15: capture.bpf_filter: a value that begins with ! must stand in quotes"},
      {"export:\n  active_timeout: 60\n",
       "c.yaml:2:19: export.active_timeout: \"60\" has no unit; write 60s for seconds"},
      {"export:\n  active_timeout:   \"60\"\n",
       "c.yaml:2:21: export.active_timeout: \"60\" has no unit; write 60s for seconds"},
      {"export:\n  collector_port: 99999\n",
       "c.yaml:2:19: export.collector_port: 99999 is out of range; allowed: 1 to 65535"},
      {"export:\n  domain_id: -1\n", "c.yaml:2:14: export.domain_id: -1 is out of range; allowed: 0 to 4294967295"},
      {"export:\n  collector_ip: 192.0.2.7:2055\n",
       "c.yaml:2:17: export.collector_ip: \"192.0.2.7:2055\" has a port; that is export.collector_port"},
      {"export:\n  collectors:\n    - udp://192.0.2.7\n    - htp://192.0.2.7\n",
       "c.yaml:4:7: export.collectors: collector \"htp://192.0.2.7\": \"htp\" is not a transport; write HOST, "
       "HOST:PORT, "
       "[IPv6]:PORT, udp://HOST:PORT, tcp://HOST:PORT or file:///PATH"},
      {"export: {collector_prt: 1}\n",
       "c.yaml:1:10: export.collector_prt: there is no such setting; did you mean export.collector_port?"},
      {"capture:\n  interface: [a, b, c]\nexport:\n  interface_index: [1, 2]\n",
       "c.yaml:4:20: export.interface_index: there are 2 numbers for 3 interfaces; give one for all, or one for each"},
      {"export:\n  \"a\\nb\": 1\n",
       "c.yaml:2:3: export.a\\nb: there is no such setting; --print-config lists them all"},
      {"a: &x [*x]\n", "c.yaml:1:1: a: there is no such block of settings; --print-config lists them all"},
  }};
  for (const auto& row : cases) {
    CAPTURE(row.first);
    CHECK(load(row.first) == row.second);
  }
}

TEST_CASE("of several mistakes each is told, in the order of the file") {
  using Lines = std::vector<std::string>;
  CHECK(all_mistakes("capture:\n  snap_len: 1\n  interfce: eth0\nexprot:\n  domain_id: 1\nexport:\n"
                     "  collector_port: 0\n  fields: [minRtt, packetDeltaCount, octetDeltaCont]\n") ==
        Lines{"c.yaml:2:13: capture.snap_len: 1 is out of range; allowed: 54 to 262144",
              "c.yaml:3:3: capture.interfce: there is no such setting; did you mean capture.interface?",
              "c.yaml:4:1: exprot: there is no such block of settings; did you mean export?",
              "c.yaml:7:19: export.collector_port: 0 is out of range; allowed: 1 to 65535",
              "c.yaml:8:12: export.fields: unknown field \"minRtt\", did you mean \"min_rtt_us\"? "
              "(--list-fields shows all)",
              "c.yaml:8:38: export.fields: unknown field \"octetDeltaCont\", did you mean \"octetDeltaCount\"? "
              "(--list-fields shows all)"});
  CHECK(all_mistakes("capture:\n  interface: [a/b, eth0, eth0]\n  cpus: [1, x, 9999]\n").size() == 4);
  CHECK(all_mistakes("export:\n  interface_index: []\n  enterprise_number: 29305\n").size() == 2);
  CHECK(all_mistakes("capture:\n  snap_len: 1\n  bpf_filter: tcp prt 80\n").size() == 2);
  // What a refused value leaves behind is not blamed on its neighbours.
  CHECK(all_mistakes("capture:\n  interface: [a, b, c/]\nexport:\n  interface_index: [1, 2]\n").size() == 1);
}

TEST_CASE("no more than twenty mistakes are told, and how many there are beside") {
  std::string yaml = "capture:\n";
  for (int i = 0; i < 23; ++i) yaml += "  k" + std::to_string(i) + ": 1\n";
  const auto lines = all_mistakes(yaml);
  REQUIRE(lines.size() == 21);
  CHECK(lines[19].rfind("c.yaml:21:3: capture.k19: ", 0) == 0);
  CHECK(lines[20] == "and 3 more mistakes");
}

TEST_CASE("what other programs take is answered with an example of what is taken here") {
  CHECK(load("metrics:\n  listen: 9090\n") ==
        "c.yaml:2:11: metrics.listen: \"9090\" names no address; write 127.0.0.1:9090");
  CHECK(load("metrics:\n  listen: :9090\n") ==
        "c.yaml:2:11: metrics.listen: \":9090\" names no address; write 127.0.0.1:9090");
  CHECK(load("metrics:\n  listen: localhost:9100\n") ==
        "c.yaml:2:11: metrics.listen: \"localhost:9100\" names no address; write 127.0.0.1:9100");
  const std::string collector = "export.collectors: a collector is one text; write ";
  CHECK(load("export:\n  collectors: [{ip: 192.0.2.9}]\n") == "c.yaml:2:16: " + collector + "\"udp://192.0.2.9:2055\"");
  CHECK(load("export:\n  collectors:\n    - host: ::1\n      port: 4739\n") ==
        "c.yaml:3:7: " + collector + "\"udp://[::1]:4739\"");
  CHECK(load("export:\n  collectors: {type: udp}\n") == "c.yaml:2:15: " + collector + "\"udp://192.0.2.7:2055\"");
}

TEST_CASE("a quote among elements between commas is refused, for it would be part of a name") {
  const Room room;
  const auto refusal = [&](const char* setting) { return room.refusal({"--read", "x", "--set", setting}); };
  const std::string begin = "78: --set capture.interface: ";
  CHECK(refusal("capture.interface=\"eth0") == begin + "the quote before eth0 is not closed; write eth0");
  CHECK(refusal("capture.interface=eth0'") == begin + "the quote behind eth0 was not opened; write eth0");
  CHECK(refusal("capture.interface=\"eth0\"") ==
        begin + "\"eth0\" stands in quotes, which are taken for part of it here; write eth0");
  CHECK(refusal("capture.interface=\"") == begin + "there is nothing but quotes");
  CHECK(load("capture:\n  interface: eth0, \"eth1\n") ==
        "c.yaml:2:14: capture.interface: the quote before eth1 is not closed; write eth1");
  CHECK(load("capture:\n  interface: [\"eth0\", 'eth1']\n") == "taken");
}

TEST_CASE("the mistakes of file and command line are told together") {
  const Room room;
  room.write("near.yaml", "log:\n  level: loud\n");
  try {
    static_cast<void>(room.parse({"--set", "flow.max_flows=1", "-collector", "a b", "--read", "x"}));
    FAIL("taken");
  } catch (const SettingsError& error) {
    REQUIRE(error.lines().size() == 3);
    CHECK(error.lines()[0].rfind(room.file("near.yaml") + ":2:10: log.level: ", 0) == 0);
    CHECK(error.lines()[1].rfind("--set flow.max_flows: ", 0) == 0);
    CHECK(error.lines()[2].rfind("-collector: ", 0) == 0);
  }
}

TEST_CASE("a file that was found is named, and not read where anybody could have put it; one that was named is") {
  const Room room;
  room.write("near.yaml", "capture:\n  snap_len: 100\n");
  CHECK(room.parse({"--read", "x"}).file_was_found);
  CHECK_FALSE(room.parse({"--read", "x", "-config", room.file("near.yaml").c_str()}).file_was_found);
  const std::string text = room.parse({"--print-config"}).text;
  CHECK(text.ends_with("\n# Configuration file: " + room.file("near.yaml") + "\n"));
  std::filesystem::permissions(room.path, std::filesystem::perms::all);
  CHECK(room.refusal({"--read", "x"})
            .rfind("78: cannot read the configuration file " + room.file("near.yaml") + ": it was found there", 0) ==
        0);
  CHECK(room.refusal({"--check-config"}).rfind("78: ", 0) == 0);
  CHECK(room.parse({"--read", "x", "-config", room.file("near.yaml").c_str()}).config.capture.snap_len == 100);
}

TEST_CASE("a filter that does not compile is refused at its place") {
  const std::string line = load("capture:\n  bpf_filter: tcp prt 80\n");
  CHECK(line.rfind("c.yaml:2:15: capture.bpf_filter: ", 0) == 0);
  const Room room;
  CHECK(room.refusal({"--read", "x", "--filter", "tcp prt 80"}).rfind("78: --filter: ", 0) == 0);
  CHECK(room.refusal({"--check-config", "--filter", "tcp prt 80"}).rfind("78: --filter: ", 0) == 0);
  CHECK(room.refusal({"--read", "x", "--filter", "vlan and tcp port 80"}) == "taken");
}

TEST_CASE("--list-fields lists the names that export.fields takes") {
  const Room room;
  const std::string text = room.parse({"--list-fields"}).text;
  for (const char* const name : {"sourceIPv4Address", "min_rtt_us", "flowEndReason"})
    CHECK(text.find(std::string{"\n"} + name + " ") != std::string::npos);
}

TEST_CASE("what is no YAML is refused with its place and what to do") {
  const std::string advice = "; check the indentation, and quote values that contain any of [ ] { } : # & * ! %";
  CHECK(load("export:\n  collectors: [::1]:2055\n") == "c.yaml:2:20: not valid YAML (end of map not found)" + advice);
  CHECK(load("capture:\n interface: a\n   snap_len: 3\n") ==
        "c.yaml:3:12: not valid YAML (illegal map value)" + advice);
  CHECK(load("capture:\n  bpf_filter: *x\n") ==
        "c.yaml:2:15: not valid YAML (the referenced anchor is not defined)" + advice);
  for (const std::string& text :
       {std::string(20'000, '['), std::string(20'000, '{'), std::string("\0\0", 2), std::string("\"x")}) {
    CHECK(load(text) != "taken");
  }
}

TEST_CASE("the command line overrides the file, and the file the defaults") {
  const Room room;
  room.write(
      "near.yaml",
      "capture:\n  interface: eth0\n  snap_len: 200\nexport:\n  active_timeout: 30s\n  collector_ip: 192.0.2.1\n");
  const Invocation file = room.parse({});
  CHECK(file.action == Action::run);
  CHECK(file.config_file == room.file("near.yaml"));
  CHECK(file.config.capture.interfaces == std::vector<std::string>{"eth0"});
  CHECK(file.config.capture.snap_len == 200);
  CHECK(file.config.flow.active_timeout == 30s);
  CHECK(file.config.flow.inactive_timeout == 15s);
  const Invocation both = room.parse({"-interface", "eth1,eth2", "--set", "export.active_timeout=20s", "-collector",
                                      "192.0.2.2:4739", "--filter", "tcp port 80", "-debug"});
  CHECK(both.config.capture.interfaces == std::vector<std::string>{"eth1", "eth2"});
  CHECK(both.config.capture.snap_len == 200);
  CHECK(both.config.flow.active_timeout == 20s);
  CHECK(both.config.exporter.collectors == std::vector<std::string>{"192.0.2.2:4739"});
  CHECK(both.config.capture.bpf_filter == "tcp port 80");
  CHECK(both.config.log.level == LogLevel::debug);
  CHECK(room.parse({"-collector", "192.0.2.2"}).config.exporter.collectors ==
        std::vector<std::string>{"192.0.2.2:2055"});
  CHECK(room.parse({"-collector", ""}).config.exporter.collectors.empty());
}

TEST_CASE("of two words about one setting the later counts") {
  const Room room;
  CHECK(room.parse({"-interface", "a", "--set", "capture.interface=b"}).config.capture.interfaces.front() == "b");
  CHECK(room.parse({"--set", "capture.interface=b", "-interface", "a"}).config.capture.interfaces.front() == "a");
  CHECK(room.parse({"--read", "a", "--read", "b"}).read_file == "b");
}

TEST_CASE("--set reaches lists, quotes and equals signs") {
  const Room room;
  const Config config = room.parse({"--read", "x", "--set", "capture.interface=eth0,eth1", "--set",
                                    "capture.bpf_filter=ip[0] & 0xf = 5 and host 192.0.2.1", "--set",
                                    "export.interface_index=3, 4", "--set", "export.collectors="})
                            .config;
  CHECK(config.capture.interfaces == std::vector<std::string>{"eth0", "eth1"});
  CHECK(config.capture.bpf_filter == "ip[0] & 0xf = 5 and host 192.0.2.1");
  CHECK(config.flow.interface_index == std::vector<std::uint32_t>{3, 4});
  CHECK(config.exporter.collectors.empty());
}

TEST_CASE("the file is the one that was named, else the first of the usual ones, else none") {
  const Room room;
  CHECK(room.parse({"--read", "x"}).config_file.empty());
  room.write("far.yaml", "capture:\n  snap_len: 100\n");
  CHECK(room.parse({"--read", "x"}).config_file == room.file("far.yaml"));
  room.write("near.yaml", "capture:\n  snap_len: 99\n");
  CHECK(room.parse({"--read", "x"}).config.capture.snap_len == 99);
  CHECK(room.parse({"--read", "x", "-config", room.file("far.yaml").c_str()}).config.capture.snap_len == 100);
  CHECK(room.refusal({"-config", room.file("none.yaml").c_str()}) ==
        "78: cannot read the configuration file " + room.file("none.yaml") + ": there is no such file");
  CHECK(room.refusal({"-config", room.path.c_str()}) ==
        "78: cannot read the configuration file " + room.path.string() + ": Is a directory");
  room.write("big.yaml", std::string(2'000'000, '#'));
  CHECK(room.refusal({"-config", room.file("big.yaml").c_str()}) ==
        "78: cannot read the configuration file " + room.file("big.yaml") + ": it is larger than 1 MiB");
  CHECK(Surroundings{}.config_files == std::vector<std::string>{"config.yaml", "/etc/chompy-probe/config.yaml"});
}

TEST_CASE("without packets to read, and only then, an interface is asked for") {
  const Room room;
  const std::string line =
      "2: no interface: name one with -interface IF (-list-interfaces shows them), or read a file with --read FILE";
  CHECK(room.refusal({}) == line);
  CHECK(room.refusal({"-collector", "192.0.2.1"}) == line);
  CHECK(room.refusal({"-interface", ""}) == line);
  CHECK(room.refusal({"--read", "x"}) == "taken");
  CHECK(room.refusal({"--check-config"}) == "taken");
  CHECK(room.refusal({"--print-config"}) == "taken");
  CHECK(room.refusal({"-list-interfaces"}) == "taken");
  CHECK(room.refusal({"--version"}) == "taken");
  CHECK(room.refusal({"--read", "x", "-interface", "eth0"}) ==
        "2: -interface and --read exclude each other: packets come from one of them");
}

TEST_CASE("flows are printed when they go nowhere else, and as asked otherwise") {
  Room room;
  const auto output = [&](std::initializer_list<const char*> arguments) {
    return room.parse(arguments).config.exporter.output;
  };
  CHECK(output({"--read", "x"}) == StandardOutput::table);
  CHECK(output({"--read", "x", "-collector", "192.0.2.1"}) == StandardOutput::none);
  CHECK(output({"--read", "x", "--set", "export.collectors=tcp://192.0.2.1"}) == StandardOutput::none);
  CHECK(output({"--read", "x", "--write-ipfix", "f"}) == StandardOutput::none);
  CHECK(output({"--read", "x", "--write-ipfix", "f", "--output", "json"}) == StandardOutput::json);
  CHECK(output({"--read", "x", "--output", "none"}) == StandardOutput::none);
  CHECK(room.parse({"--read", "x", "--output", "table"}).output_given);
  CHECK_FALSE(room.parse({"--read", "x"}).output_given);
  room.surroundings.output_is_journal = true;
  CHECK(room.refusal({"-interface", "eth0"}) ==
        "78: no collector: name one in export.collector_ip (a service does not print flows into the journal)");
  CHECK(room.refusal({"-interface", "eth0", "-collector", "192.0.2.1"}) == "taken");
  CHECK(room.refusal({"-interface", "eth0", "--output", "json"}) == "taken");
  CHECK(room.refusal({"--check-config"}) == "taken");
}

TEST_CASE("an IPFIX file is one more collector, by its whole path") {
  const Room room;
  const Invocation both = room.parse({"--read", "x", "-collector", "192.0.2.1", "--write-ipfix", "/tmp/f.ipfix"});
  CHECK(both.config.exporter.collectors == std::vector<std::string>{"192.0.2.1:2055", "file:///tmp/f.ipfix"});
  CHECK(both.write_ipfix == "/tmp/f.ipfix");
  CHECK(room.parse({"--read", "x", "--write-ipfix", "f"}).config.exporter.collectors ==
        std::vector<std::string>{"file://" + (std::filesystem::current_path() / "f").string()});
  CHECK(room.parse({"--read", "x", "--write-ipfix", "-"}).config.exporter.collectors ==
        std::vector<std::string>{"file:///dev/stdout"});
}

TEST_CASE("a bad value of a setting is a bad configuration, of an option a bad command line") {
  const Room room;
  CHECK(room.refusal({"-collector", "192.0.2.300"}) == "78: -collector: \"192.0.2.300\" is not an IPv4 address");
  CHECK(room.refusal({"-collector", "192.0.2.3:0"}) == "78: -collector: \"0\" is not a port; allowed: 1 to 65535");
  CHECK(room.refusal({"-interface", "no such name"}) == "78: -interface: \"no such name\" cannot be an interface name");
  CHECK(room.refusal({"--set", "export.active_timeout=60"}) ==
        "78: --set export.active_timeout: \"60\" has no unit; write 60s for seconds");
  CHECK(room.refusal({"--set", "export.active_timout=60s"}) ==
        "78: --set export.active_timout: there is no such setting; did you mean export.active_timeout?");
  CHECK(room.refusal({"--set", "active_timeout"}) ==
        "2: --set active_timeout: write --set KEY=VALUE, such as --set export.active_timeout=30s");
  CHECK(room.refusal({"--read", "x", "--duration", "5"}) == "2: --duration: \"5\" has no unit; write 5s for seconds");
  CHECK(room.refusal({"--read", "x", "--output", "jso"}) ==
        "2: --output: \"jso\" is not one of none, table, json; did you mean json?");
  CHECK(room.refusal({"--read", ""}) == "2: --read: no file is named");
  CHECK(room.refusal({"-interfce", "eth0"}) == "2: unknown option -interfce; did you mean -interface?");
}

TEST_CASE("what is asked for beside running is told") {
  const Room room;
  CHECK(room.parse({"--read", "x", "--duration", "1m30s", "--counters", "c.json"}).duration == 90s);
  CHECK(room.parse({"--read", "x", "--counters", "c.json"}).counters_file == "c.json");
  CHECK(room.parse({"-list-interfaces"}).action == Action::list_interfaces);
  CHECK(room.parse({"-h"}).action == Action::print_and_exit);
  CHECK(room.parse({"--version"}).text.rfind("chompy-probe ", 0) == 0);
  CHECK(room.parse({"--check-config"}).text == "no configuration file; the settings are in order\n");
  room.write("near.yaml", "log:\n  level: debug\n");
  CHECK(room.parse({"--check-config"}).action == Action::check_config);
  CHECK(room.parse({"--check-config"}).text == room.file("near.yaml") + ": the settings are in order\n");
  CHECK(room.parse({"-debug=false", "--read", "x"}).config.log.level == LogLevel::debug);
  room.write("near.yaml", "log:\n  level: debg\n");
  CHECK(room.refusal({"--check-config"}) == "78: " + room.file("near.yaml") +
                                                ":2:10: log.level: \"debg\" is not one of debug, info, warning, error; "
                                                "did you mean debug?");
  CHECK(room.refusal({"-h"}) == "taken");
}

TEST_CASE("--print-config says where each setting came from, and is read back as the same") {
  const Room room;
  room.write("near.yaml", "capture:\n\n  snap_len: 200\nexport:\n  collectors: ['tcp://[::1]:1', 'file:///a,b # c']\n");
  const std::string text = room.parse({"--print-config", "-interface", "eth0,eth1", "--filter", "tcp[13] & 2 != 0\n",
                                       "--set", "export.active_timeout=1m30s", "-collector", "::1"})
                               .text;
  const auto has = [&](const std::string& line) { return text.find("\n" + line + "\n") != std::string::npos; };
  CHECK(has("  snap_len: 200                         # " + room.file("near.yaml") + ":3"));
  CHECK(text.rfind("capture:\n  interface: [eth0, eth1]               # command line (-interface)\n", 0) == 0);
  CHECK(has("  active_timeout: 90s                   # command line (--set); reload"));
  CHECK(has("  inactive_timeout: 15s                 # default; reload"));
  room.write("again.yaml", text);
  const Config again = load_config_file(room.file("again.yaml"));
  CHECK(again.capture.bpf_filter == "tcp[13] & 2 != 0\n");
  CHECK(again.exporter.collectors == std::vector<std::string>{"[::1]:2055", "tcp://[::1]:1", "file:///a,b # c"});
  CHECK(again.capture.interfaces == std::vector<std::string>{"eth0", "eth1"});
  CHECK(again.capture.snap_len == 200);
  CHECK(again.flow.active_timeout == 90s);
}

TEST_CASE("an instance has a file, an interface and an observation domain by its name") {
  Room room;
  room.surroundings.instance_folder = room.path;
  room.write("near.yaml", "capture:\n  interface: eth9\n");
  const Invocation silent = room.parse({"--instance", "eth0"});
  CHECK(silent.config_file.empty());
  CHECK(silent.config.capture.interfaces == std::vector<std::string>{"eth0"});
  CHECK(silent.config.ipfix.domain_id == instance_domain_id("eth0"));

  room.write("eth0-a.yaml", "export:\n  collector_ip: 192.0.2.1\ncapture:\n  interface: eth0\n");
  const Invocation named = room.parse({"--instance", "eth0-a"});
  CHECK(named.config_file == room.file("eth0-a.yaml"));
  CHECK(named.config.capture.interfaces == std::vector<std::string>{"eth0"});
  CHECK(named.config.ipfix.domain_id == instance_domain_id("eth0-a"));
  CHECK(room.parse({"--instance", "eth0-a", "-interface", "eth1"}).config.capture.interfaces.front() == "eth1");

  room.write("eth0.yaml", "export:\n  domain_id: 7\n");
  CHECK(room.parse({"--instance", "eth0"}).config.ipfix.domain_id == 7);
  CHECK(
      room.parse({"--instance", "eth0", "-config", room.file("near.yaml").c_str()}).config.capture.interfaces.front() ==
      "eth9");
  room.write("eth0.yaml", "export:\n  domain_id: 1\n");  // the default, but said
  CHECK(room.parse({"--instance", "eth0"}).config.ipfix.domain_id == 1);

  const std::string text = room.parse({"--print-config", "--instance", "br-lan"}).text;
  CHECK(text.find("  interface: br-lan                     # command line (--instance)\n") != std::string::npos);
}

TEST_CASE("the observation domain of an instance is the FNV-1a hash of its name") {
  // Test vectors of draft-eastlake-fnv, appendix C.
  CHECK(instance_domain_id("a") == 0xE40C292C);
  CHECK(instance_domain_id("foobar") == 0xBF9CF968);
  CHECK(instance_domain_id("eth0-a") != instance_domain_id("eth0-b"));
}

TEST_CASE("a name that cannot be an instance is refused, and where its collector belongs is said") {
  Room room;
  for (const char* const name : {"", "a/b", "../eth0", "."}) {
    CAPTURE(name);
    CHECK(room.refusal({"--instance", name}).rfind("2: --instance: ", 0) == 0);
  }
  CHECK(room.refusal({"--instance", std::string(128, 'a').c_str()}).rfind("78: --instance", 0) == 0);
  room.surroundings.output_is_journal = true;
  CHECK(room.refusal({"--instance", "eth0"}) ==
        "78: no collector: name one in export.collector_ip of /etc/chompy-probe/eth0.yaml (a service does not print "
        "flows into the journal)");
}
