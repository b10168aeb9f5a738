// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "harness.hpp"
#include "vectors.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

constexpr std::array<std::string_view, 6> kStates = {"New",         "SynSent", "SynAckSeen",
                                                     "Established", "FinWait", "Closed"};

// What the six fields do not show is left to the extended set.
bool value_of(const TcpFields& fields, const std::string& name, std::uint32_t& value) {
  if (name == "rtt_min") return value = fields.min_rtt_us, true;
  if (name == "rtt_max") return value = fields.max_rtt_us, true;
  if (name == "rtt_avg") return value = fields.avg_rtt_us, true;
  if (name == "retrans") return value = fields.retransmit_count, true;
  if (name == "win_min") return value = fields.min_tcp_window, true;
  if (name == "win_max") return value = fields.max_tcp_window, true;
  return false;
}

void check_record(const TcpFields& fields, std::string_view expected) {
  std::istringstream words{std::string{expected}};
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    std::uint32_t value = 0;
    if (!value_of(fields, name, value)) continue;
    INFO(word);
    CHECK(value == std::stoul(word.substr(equals + 1)));
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
    check_record(results.back().fields[0], vector.a);
    check_record(results.back().fields[1], vector.b);
    check_conversation(results, run.conversation(), vector.conversation);
  }
}

}  // namespace

TEST_CASE("every vector of the definition gives its listed records") { check_all({}, {}); }

TEST_CASE("the listed records do not depend on which end has the lower address") { check_all({}, {.reversed = true}); }

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
