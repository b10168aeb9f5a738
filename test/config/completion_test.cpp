// SPDX-License-Identifier: Apache-2.0
// The completion scripts agree with the tables (UPDATE_DOCS=1 in the environment writes them anew), and the shells that
// are installed here take them.
#include "whiteowl/config/completion.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "support/command.hpp"
#include "whiteowl/config/command_line.hpp"
#include "whiteowl/config/options.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

const std::string kFolder = WHITEOWL_SOURCE_DIR "/packaging/completion/";

void compare(const std::string& name, const std::string& rendered) {
  const char* const update = std::getenv("UPDATE_DOCS");
  if (update != nullptr && std::string_view{update} == "1") std::ofstream{kFolder + name} << rendered;
  std::ifstream file{kFolder + name};
  std::stringstream text;
  text << file.rdbuf();
  INFO("run with UPDATE_DOCS=1 to write packaging/completion/" << name << " anew");
  CHECK(text.str() == rendered);
}

bool installed(const std::string& program) { return !output_of("command -v " + program + " 2>/dev/null").empty(); }

// What bash offers for the last of these words, as it splits them itself; each on a line.
std::string offers(const std::string& words) {
  return output_of("LC_ALL=C bash --norc -c 'compopt() { :; }; source \"$0\"; COMP_WORDS=(chompy-probe " + words +
                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _chompy_probe; printf \"%s\\n\" \"${COMPREPLY[@]}\"' '" +
                   kFolder + "chompy-probe.bash' 2>&1");
}

}  // namespace

TEST_CASE("the completion scripts are the tables'") {
  compare("chompy-probe.bash", bash_completion());
  compare("_chompy-probe", zsh_completion());
}

TEST_CASE("every option and every setting stands in both scripts") {
  for (const std::string& script : {bash_completion(), zsh_completion()}) {
    for (const auto& option : kCommandOptions) CHECK(script.find("-" + std::string{option.name}) != std::string::npos);
    for (const Option& option : kOptions) CHECK(script.find("\n    " + std::string{option.key}) != std::string::npos);
  }
}

TEST_CASE("bash offers what fits the words so far") {
  if (!installed("bash")) return;
  CHECK(offers("-coll") == "-collector\n");
  CHECK(offers("--coll") == "--collector\n");
  CHECK(offers("--list-") == "--list-interfaces\n--list-fields\n");
  CHECK(offers("--output \"\"") == "none\ntable\njson\n");
  CHECK(offers("--output = j") == "json\n");
  CHECK(offers("--set decode.tun") == "decode.tunnels=\n");
  CHECK(offers("--set decode.tunnels =") == "outer\ninner\n");
  CHECK(offers("--set decode.tunnels = i") == "inner\n");
  CHECK(offers("-interface lo") == "lo\n");
  CHECK(offers("--read /etc/host.con") == "/etc/host.conf\n");
  CHECK(offers("--duration 1") == "\n");
}

TEST_CASE("zsh reads its script") {
  if (!installed("zsh")) return;
  CHECK(output_of("zsh -n '" + kFolder + "_chompy-probe' 2>&1") == "");
}
