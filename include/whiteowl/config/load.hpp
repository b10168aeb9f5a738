// SPDX-License-Identifier: Apache-2.0
// YAML file and command line into a Config.  Bad input: for each mistake a line that names file, line, column, the key
// and the nearest right one, thrown as StartError with its exit status, as SettingsError when there may be several;
// nothing has been started then.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "whiteowl/base/error.hpp"
#include "whiteowl/capture/filter.hpp"
#include "whiteowl/config/config.hpp"

namespace whiteowl {

enum class Action : std::uint8_t { run, print_and_exit, list_interfaces, check_config };

// What the command line asks for.
struct Invocation {
  Action action = Action::run;
  std::string text;  // for print_and_exit: help, version, the effective settings, the fields; for check_config:
                     // what was found; whole lines
  Config config;     // defaults, then file, then command line
  std::shared_ptr<FilterPrograms> filter;  // its capture.bpf_filter, compiled for where the packets come from
  std::string config_file;                 // the file read; empty = none was there
  bool file_was_found = false;             // nobody named it: its whole path stands in config_file
  std::string read_file;                   // --read: a capture file, "-" = standard input; empty = live
  std::string write_ipfix;                 // --write-ipfix: a file (also in config.exporter.collectors as file://)
  std::string counters_file;               // --counters
  Duration duration{};                     // --duration: stop after this; 0 = run on
  bool output_given = false;               // --output was named
};

// What decides beside the arguments.
struct Surroundings {
  // The first that exists is read when -config names none.
  std::vector<std::string> config_files{"config.yaml", "/etc/chompy-probe/config.yaml"};
  // With --instance NAME it is NAME.yaml in this folder instead.
  std::string instance_folder{"/etc/chompy-probe"};
  FilterPatience filter_patience{};
  bool output_is_journal = false;  // standard output goes to the journal: flows must not be printed there unasked
  int cancel_fd = -1;              // reading is given up when this is readable
};
[[nodiscard]] Surroundings current_surroundings();

// export.domain_id of an instance that names none: never 0 (RFC 7011 3.1: no domain) nor 1 (the default of a probe that
// is no instance).
[[nodiscard]] std::uint32_t instance_domain_id(std::string_view instance) noexcept;

// The defaults of the table of options.
[[nodiscard]] Config default_config();
// `arguments` without the program's name.  Options take one dash or two; later ones override earlier ones.  Throws
// StartError; with exit status 2, usage_text() belongs below its line.
[[nodiscard]] Invocation parse_invocation(std::span<const char* const> arguments,
                                          const Surroundings& surroundings = current_surroundings());
// Reads `path` over the defaults.  Throws StartError.
[[nodiscard]] Config load_config_file(const std::string& path);
// The same from memory; `name` stands for the file in messages.
[[nodiscard]] Config load_config_text(const std::string& yaml, const std::string& name);

}  // namespace whiteowl
