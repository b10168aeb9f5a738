// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/response.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {
std::array<TcpExtendedFields, 2> both(const std::string& behind_handshake) {
  return extended_of("HS\n" + behind_handshake);
}
}  // namespace

TEST_CASE("from the last octet of the request to the first of the answer, in the record of the requests") {
  const auto r = both(
      "40 > 1001 5001 100 PA 64000\n45 > 1101 5001 100 PA 64000\n61 < 5001 1201 0 A 65000\n"
      "165 < 5001 1201 1000 PA 65000\n166 < 6001 1201 1000 PA 65000\n");
  CHECK(r[0].response_count == 1);
  CHECK(r[0].response_sum_us == 120'000);
  CHECK(r[0].response_max_us == 120'000);
  CHECK(r[1].response_count == 0);
}

TEST_CASE("what nobody asked for, repeats and FINs are neither request nor answer") {
  CHECK(
      both("40 < 5001 1001 100 PA 65000\n50 > 1001 5101 0 A 64000\n60 < 5101 1001 100 PA 65000\n")[1].response_count ==
      0);
  const auto repeat = both("40 > 1001 5001 100 PA 64000\n240 > 1001 5001 100 PA 64000\n290 < 5001 1101 9 PA 65000\n");
  CHECK(repeat[0].response_sum_us == 250'000);
  CHECK(both("40 > 1001 5001 100 PA 64000\n60 < 5001 1101 0 FA 65000\n")[0].response_count == 0);
}

TEST_CASE("where the opening was not seen either side may ask") {
  const auto r = extended_of("0 < 1 1 10 A 9\n5 > 1 11 10 A 9\n12 < 11 11 10 A 9\n");
  CHECK(r[1].response_sum_us == 5'000);
  CHECK(r[0].response_sum_us == 7'000);
}

TEST_CASE("an answer in the same microsecond took 1 us, and hours are no 32-bit number") {
  CHECK(both("40 > 1001 5001 100 PA 64000\n40 < 5001 1101 9 PA 65000\n")[0].response_max_us == 1);
  const auto late = both("40 > 1001 5001 100 PA 64000\n9000040 < 5001 1101 9 PA 65000\n")[0];
  CHECK(late.response_sum_us == 9'000'000'000);
  CHECK(late.response_max_us == 0xFFFF'FFFF);
}

TEST_CASE("a request waits over a snapshot, and the answer belongs to its own interval") {
  ConversationRun run{extended_settings()};
  run.feed(parse_tcp_script("HS\n40 > 1001 5001 100 PA 64000\n"));
  CHECK(run.take().extended[0].response_count == 0);
  run.feed(parse_tcp_script("90 < 5001 1101 9 PA 65000\n"));
  CHECK(run.take().extended[0].response_sum_us == 50'000);
  CHECK(run.take().extended[0].response_sum_us == 0);
}
