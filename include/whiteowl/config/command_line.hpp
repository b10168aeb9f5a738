// SPDX-License-Identifier: Apache-2.0
// The table of command line options, and Go's way of writing them: one dash or two, -config FILE or -config=FILE.
// Derived from the table: the parser, --help and the OPTIONS of chompy-probe(8).
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace whiteowl {

struct CommandOption {
  std::string_view name;
  std::string_view argument;  // what to write behind it; empty = a switch
  std::string_view dashes;    // as the documents write it; both are taken
  std::string_view group;
  std::string_view sentence;  // --help
  std::string_view more;      // further sentences for the manual
};

// Options of a group stand together.
inline constexpr std::array kCommandOptions = {
    CommandOption{"interface", "IF", "-", "Packets", "Capture on this interface; several: eth0,eth1",
                  "Overrides capture.interface."},
    CommandOption{"read", "FILE", "--", "Packets", "Read a capture file (pcap, pcapng); - is stdin",
                  "Flows age by the time stamps in the file, and the records are those of a live capture of the same "
                  "packets."},
    CommandOption{"filter", "EXPR", "--", "Packets", "Meter only the packets that match, as tcpdump's",
                  "The expression is one of pcap-filter(7). Overrides capture.bpf_filter."},
    CommandOption{"duration", "TIME", "--", "Packets", "Stop after this time: 90s, 1h30m", ""},
    CommandOption{"collector", "ADDR[:PORT]", "-", "Flows", "Send the flows there as IPFIX over UDP",
                  "Overrides export.collector_ip and, with a port, export.collector_port. An IPv6 address with a port "
                  "stands in brackets."},
    CommandOption{"write-ipfix", "FILE", "--", "Flows", "Write the flows to an IPFIX file; - is stdout",
                  "The file is an IPFIX File (RFC 5655)."},
    CommandOption{
        "output", "FORMAT", "--", "Flows", "Print the flows: table, json or none",
        "The default is table if the flows go neither to a collector nor to an IPFIX file, else none. In json "
        "each record is an object on a line, with the names of the Information Elements as keys."},
    CommandOption{"counters", "FILE", "--", "Flows", "Write the counters to this file as JSON at the end", ""},
    CommandOption{
        "config", "FILE", "-", "Settings", "Read the settings from this file",
        "The default is config.yaml in the current directory and, if there is none, "
        "/etc/chompy-probe/config.yaml. If that does not exist either, all settings have their defaults. "
        "A file that was found so is refused if it belongs to neither root nor the user, or others may write to it or "
        "its folder."},
    CommandOption{"set", "KEY=VALUE", "--", "Settings", "Change one setting: flow.max_flows=1000000",
                  "May be given any number of times, for every key of chompy-probe.yaml(5); of two that "
                  "say the same, the later one counts. The elements of a list are separated by commas."},
    CommandOption{"debug", "", "-", "Settings", "Log more; short for --set log.level=debug", ""},
    CommandOption{"check-config", "", "--", "Settings", "Check the settings and exit", ""},
    CommandOption{"print-config", "", "--", "Settings", "Print all settings and where each came from",
                  "The output is a configuration file that says the same. A setting marked with reload can be changed "
                  "while the program runs: write it into the file and send SIGHUP."},
    CommandOption{
        "instance", "NAME", "--", "Settings", "Settings of chompy-probe@NAME.service",
        "Unless -config names a file, the settings are read from /etc/chompy-probe/NAME.yaml if that exists. "
        "capture.interface defaults to NAME, and export.domain_id to the 32-bit FNV-1a hash of NAME, which is "
        "the same at each start and differs from instance to instance; --print-config shows it."},
    CommandOption{"list-interfaces", "", "-", "Information", "List the network interfaces", ""},
    CommandOption{"list-fields", "", "--", "Information", "List the fields that a record can have",
                  "These are the names that export.fields takes."},
    CommandOption{"print-mapping", "KIND", "--", "Information", "Print a collector's configuration of our fields",
                  "KIND is goflow2 (mapping.yaml), nfacctd (primitives.lst), nfacctd-conf, libfds (XML), telegraf "
                  "(CSV), clickhouse (SQL) or clickhouse-proto. Ours have the number of export.enterprise_number."},
    CommandOption{"version", "", "--", "Information", "Print the version", ""},
    CommandOption{"help", "", "-", "Information", "Print this help", ""},
};

// As the documents write it: "-config", "--read".
[[nodiscard]] std::string spelling(const CommandOption& option);

// Every word up to "--" that names an option, with one dash or two, becomes --name or --name=value; -h becomes --help.
// A value may begin with a dash.  Throws StartError (exit 2): unknown option, naming the nearest; missing value; a word
// that belongs to no option.
[[nodiscard]] std::vector<std::string> normalise_arguments(std::span<const char* const> arguments);

// The value of a switch as Go's flag package takes it: 1, 0, t, f, true, false and their capitals.  Throws StartError
// (exit 2).
[[nodiscard]] bool parse_switch(const CommandOption& option, std::string_view value);

}  // namespace whiteowl
