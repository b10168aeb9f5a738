// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "full_vectors.hpp"
#include "harness.hpp"
#include "vectors.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

constexpr std::array<std::string_view, 6> kStates = {"New",         "SynSent", "SynAckSeen",
                                                     "Established", "FinWait", "Closed"};

// Every word is looked for: a vector that names what is not measured fails.
void check_record(const ConversationResult& result, unsigned direction, std::string_view expected) {
  const auto values = values_of(result.fields[direction], result.extended[direction]);
  std::istringstream words{std::string{expected}};
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    INFO(word);
    if (name == "invalid") continue;       // of the meter, checked in check_all()
    if (name == "fin" || name == "rst") {  // header flags: the record says whether, not how many
      const auto bit = name == "fin" ? tcp_quality::kFinBySource : tcp_quality::kResetBySource;
      CHECK((result.extended[direction].quality & bit) != 0);
      continue;
    }
    if (name == "pkts") {
      CHECK(result.packets[direction] == std::stoull(word.substr(equals + 1)));
      continue;
    }
    REQUIRE(values.contains(name));
    CHECK(values.at(name) == std::stoull(word.substr(equals + 1)));
  }
}

void check_conversation(const std::vector<ConversationResult>& results, const TcpConversation& conversation,
                        std::string_view expected) {
  std::istringstream words{std::string{expected}};
  for (std::string word; words >> word;) {
    INFO(word);
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals), value = word.substr(equals + 1);
    if (name == "state") CHECK(kStates[static_cast<std::size_t>(results.back().state)] == value);
    if (name == "n_restarts") CHECK(std::to_string(results.size() - 1) == value);
    if (name == "rst_from") {
      CHECK((conversation.flags & conversation_flag::kReset) != 0);
      CHECK(((conversation.flags & conversation_flag::kResetSide) != 0) == (value == "1"));
    }
  }
}

void check_all(const TcpSettings& settings, const ScriptFrame::Form& form) {
  for (const TcpVector& vector : kTcpVectors) {
    INFO(vector.name << ": " << vector.reason);
    ConversationRun run{settings, form};
    run.feed(parse_tcp_script(vector.script));
    const auto results = run.results();
    check_record(results.back(), 0, vector.a);
    check_record(results.back(), 1, vector.b);
    if (vector.a.find("invalid=1") != std::string_view::npos) CHECK(run.meter().counters().invalid_segments.get() == 1);
    check_conversation(results, run.conversation(), vector.conversation);
  }
}

}  // namespace

TEST_CASE("every vector of the definition gives its listed records") { check_all(extended_settings(), {}); }

TEST_CASE("every other figure of the vectors is what the definition computes") {
  for (const FullVector& full : kFullVectors) {
    const auto vector = std::find_if(kTcpVectors.begin(), kTcpVectors.end(),
                                     [&](const TcpVector& v) { return v.name.substr(0, 3) == full.number; });
    REQUIRE(vector != kTcpVectors.end());
    const auto result = run_script(vector->script, extended_settings()).back();
    for (unsigned d = 0; d < 2; ++d) {
      auto values = values_of(result.fields[d], result.extended[d]);
      values.erase("quality");  // not of the definition's model
      values.erase("options");
      check_record(result, d, d == 0 ? full.a : full.b);
      std::istringstream words{std::string{d == 0 ? full.a : full.b}};
      for (std::string word; words >> word;) values.erase(word.substr(0, word.find('=')));
      for (const auto& [name, value] : values) {
        INFO(full.number << " direction " << d << ": " << name);
        CHECK(value == 0);
      }
    }
  }
}

TEST_CASE("the listed records do not depend on which end has the lower address") {
  check_all(extended_settings(), {.reversed = true});
}

TEST_CASE("the six fields are the same whether holes are remembered or not") {
  TcpSettings strict;
  strict.retransmit_mode = RetransmitMode::strict;
  for (const TcpVector& vector : kTcpVectors) {
    INFO(vector.name);
    const auto plain = run_script(vector.script);
    auto holes = run_script(vector.script, strict);
    REQUIRE(plain.size() == holes.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
      for (unsigned d = 0; d < 2; ++d) {
        CHECK(holes[i].fields[d].retransmit_count <= plain[i].fields[d].retransmit_count);
        holes[i].fields[d].retransmit_count = plain[i].fields[d].retransmit_count;
      }
      CHECK(plain[i] == holes[i]);
    }
  }
}
