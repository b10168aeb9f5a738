// SPDX-License-Identifier: Apache-2.0
// The documents agree with the tables.  UPDATE_DOCS=1 in the environment writes them anew.
#include "whiteowl/config/reference.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "support/command.hpp"
#include "whiteowl/config/command_line.hpp"
#include "whiteowl/config/load.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

const std::string kSource = WHITEOWL_SOURCE_DIR "/";
const std::string kProgramManual = "man/chompy-probe.8";
const std::string kSettingsManual = "man/chompy-probe.yaml.5";

std::string read(const std::string& name) {
  std::ifstream file{kSource + name};
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void write(const std::string& name, const std::string& text) { std::ofstream{kSource + name} << text; }

bool updating() {
  const char* const update = std::getenv("UPDATE_DOCS");
  return update != nullptr && std::string_view{update} == "1";
}

void compare_block(const std::string& name, const std::string& mark, const std::string& rendered) {
  std::string text = read(name);
  const std::string begin = ".\\\" BEGIN " + mark + "\n";
  const std::string end = ".\\\" END " + mark + "\n";
  const auto from = text.find(begin);
  const auto to = text.find(end);
  REQUIRE(from != std::string::npos);
  REQUIRE(to != std::string::npos);
  const auto start = from + begin.size();
  if (updating()) write(name, text.replace(start, to - start, rendered));
  INFO("run with UPDATE_DOCS=1 to write " << name << " anew");
  CHECK(read(name).substr(start, rendered.size() + end.size()) == rendered + end);
}

// What a program prints, or "absent" if it is not installed.
std::string output_or_absent(const std::string& program, const std::string& arguments) {
  const std::string command = "command -v " + program + " >/dev/null 2>&1 || { echo absent; exit 0; }; " + program +
                              " " + arguments + " 2>/dev/null";
  return output_of(command);
}

}  // namespace

TEST_CASE("the sample file is the table's") {
  if (updating()) write("etc/config.yaml", sample_file());
  INFO("run with UPDATE_DOCS=1 to write etc/config.yaml anew");
  CHECK(read("etc/config.yaml") == sample_file());
}

TEST_CASE("the manual pages' blocks are the tables'") {
  compare_block(kProgramManual, "OPTIONS", options_manual());
  compare_block(kProgramManual, "FIELDS", fields_manual());
  compare_block(kSettingsManual, "SETTINGS", settings_manual());
}

TEST_CASE("the sample file changes nothing as it is, and nothing with every setting uncommented") {
  const std::string sample = read("etc/config.yaml");
  static_cast<void>(load_config_text(sample, "sample"));
  std::string all = sample;
  std::size_t uncommented = 0;
  for (const Option& option : kOptions) {
    const std::string line = "\n  #" + std::string{option.name()} + ": ";
    for (auto at = all.find(line); at != std::string::npos; at = all.find(line)) {
      all.erase(at + 3, 1);
      ++uncommented;
    }
  }
  CHECK(uncommented == kOptions.size());
  const Config loaded = load_config_text(all, "sample");
  for (const Option& option : kOptions) {
    CAPTURE(option.key);
    CHECK(option.get(loaded, option.limits) == option.get(default_config(), option.limits));
  }
}

TEST_CASE("every option of --help stands in the manual, and --help fits a terminal") {
  const std::string help = help_text();
  const std::string manual = read(kProgramManual);
  std::istringstream lines{help};
  std::size_t options = 0;
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(line.size() <= 80);
    if (line.rfind("  -", 0) != 0) continue;
    ++options;
    if (line.rfind("  -h, -help ", 0) == 0) {
      CHECK(manual.find("\n.It Fl h , Fl help\n") != std::string::npos);
      continue;
    }
    std::string flag = line.substr(3, line.find(' ', 3) - 3);
    CHECK(manual.find("\n.It Fl " + flag) != std::string::npos);
  }
  CHECK(options == kCommandOptions.size());
  for (const char* const seed :
       {"  -config ", "  -interface ", "  -collector ", "  -list-interfaces ", "  -debug ", "  -h, "})
    CHECK(help.find(seed) != std::string::npos);
}

TEST_CASE("every setting stands in the manual with its default") {
  const std::string manual = read(kSettingsManual);
  for (const Option& option : kOptions) {
    CAPTURE(option.key);
    const auto block = manual.find("\n.Ss " + std::string{option.block()} + "\n");
    REQUIRE(block != std::string::npos);
    const auto item = manual.find("\n.It Ic " + std::string{option.name()} + "\n", block);
    REQUIRE(item != std::string::npos);
    const auto value = manual.find("\nDefault:\n.Ql ", item) + 14;
    std::string text = manual.substr(value, manual.find('\n', value) - value);
    if (text == "\\(dq\\(dq .") text = "\"\" .";
    CHECK(text == std::string{option.default_text} + " .");
  }
}

TEST_CASE("the manual pages are clean mdoc") {
  for (const std::string& name : {kProgramManual, kSettingsManual}) {
    std::istringstream lines{output_or_absent("mandoc", "-T lint -W style " + kSource + name)};
    // Whether other manuals are installed here is not the page's fault.
    for (std::string line; std::getline(lines, line);)
      if (line != "absent" && line.find("referenced manual not found") == std::string::npos) FAIL_CHECK(line);
    const std::string groff = output_or_absent("groff", "-mandoc -Tutf8 -ww -z " + kSource + name);
    CHECK((groff.empty() || groff == "absent\n"));
  }
}

TEST_CASE("text that YAML could take for something else is quoted") {
  const Option& filter = Settings::find("capture.bpf_filter", {});
  CHECK(to_yaml(scalar("tcp port 80"), filter) == "tcp port 80");
  CHECK(to_yaml(scalar("a \\ \"x\": #\n\t"), filter) == R"("a \\ \"x\": #\x0A\x09")");
  for (const char* const text :
       {"", " x", "x ", "- x", "? x", "null", "~", "*x", "!x", "a: b", "a #b", "[x]", "{x}", "a:"}) {
    CAPTURE(text);
    CHECK(to_yaml(scalar(text), filter) == "\"" + std::string{text} + "\"");
  }
}

TEST_CASE("the version is printed in one line") { CHECK(version_text().find('\n') == version_text().size() - 1); }
