// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/text.hpp"

#include <doctest/doctest.h>

using namespace whiteowl;

TEST_CASE("a message stays one line") {
  CHECK(one_line("eth0\n<3>forged") == "eth0\\n<3>forged");
  CHECK(one_line("a\tb\x1b[31m\x7f") == "a\\tb\\x1b[31m\\x7f");
  CHECK(one_line("Grüße") == "Grüße");
  CHECK(one_line("") == "");
}
