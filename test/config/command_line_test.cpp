// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/command_line.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

#include "whiteowl/base/error.hpp"

using namespace whiteowl;

namespace {

// The normal words joined with |, or the error line.
std::string normal(std::initializer_list<const char*> arguments) {
  try {
    std::string joined;
    for (const auto& word : normalise_arguments({arguments.begin(), arguments.size()}))
      joined += (joined.empty() ? "" : "|") + word;
    return joined;
  } catch (const StartError& error) {
    CHECK(error.status() == ExitStatus::usage);
    return error.what();
  }
}

}  // namespace

TEST_CASE("options are taken in each of Go's spellings") {
  CHECK(normal({"-config", "f"}) == "--config=f");
  CHECK(normal({"--config", "f"}) == "--config=f");
  CHECK(normal({"-config=f"}) == "--config=f");
  CHECK(normal({"--config=f"}) == "--config=f");
  CHECK(normal({"-config", ""}) == "--config=");
  CHECK(normal({"-config="}) == "--config=");
  CHECK(normal({"-interface", "-x"}) == "--interface=-x");
  CHECK(normal({"-interface", "--", "-debug"}) == "--interface=--|--debug");
  CHECK(normal({"-collector", "10.0.0.1", "-debug"}) == "--collector=10.0.0.1|--debug");
  CHECK(normal({"-debug=false"}) == "--debug=false");
  CHECK(normal({"-list-interfaces"}) == "--list-interfaces");
  CHECK(normal({"-h"}) == "--help");
  CHECK(normal({"--h"}) == "--help");
  CHECK(normal({"-help"}) == "--help");
  CHECK(normal({"-read", "-"}) == "--read=-");
  CHECK(normal({"--filter", "ip[0] = 0x45 and port 80"}) == "--filter=ip[0] = 0x45 and port 80");
  CHECK(normal({"--set", "a.b=c=d"}) == "--set=a.b=c=d");
  CHECK(normal({"--"}) == "");
  CHECK(normal({}) == "");
}

TEST_CASE("a wrong command line is refused in one line with the nearest option") {
  CHECK(normal({"-intrface", "eth0"}) == "unknown option -intrface; did you mean -interface?");
  CHECK(normal({"--outptu=json"}) == "unknown option --outptu; did you mean --output?");
  CHECK(normal({"-x"}) == "unknown option -x");
  CHECK(normal({"-config"}) == "option -config needs a value: -config FILE");
  CHECK(normal({"--collector"}) == "option --collector needs a value: -collector ADDR[:PORT]");
  CHECK(normal({"eth0"}) == "unexpected argument eth0");
  CHECK(normal({"-"}) == "unexpected argument -");
  CHECK(normal({"-debug", "false"}) == "unexpected argument false");
  CHECK(normal({"--", "-debug"}) == "unexpected argument -debug");
  CHECK(normal({"-a\nb"}) == "unknown option -a\\nb");
}

TEST_CASE("a switch takes Go's words for true and false") {
  const CommandOption& debug = kCommandOptions[10];
  REQUIRE(debug.name == "debug");
  for (const char* const word : {"1", "t", "T", "true", "True", "TRUE"}) CHECK(parse_switch(debug, word));
  for (const char* const word : {"0", "f", "F", "false", "False", "FALSE"}) CHECK_FALSE(parse_switch(debug, word));
  CHECK_THROWS_WITH_AS(static_cast<void>(parse_switch(debug, "maybe")),
                       "-debug=maybe: write true or false, or leave it out", StartError);
}
