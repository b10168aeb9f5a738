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

TEST_CASE("what is no UTF-8 is shown octet by octet") {
  CHECK(one_line("va\xff") == "va\\xff");
  CHECK(one_line("\xc3") == "\\xc3");                               // cut short
  CHECK(one_line("\xc0\xaf") == "\\xc0\\xaf");                      // longer than needed
  CHECK(one_line("\xe0\x9f\xbf") == "\\xe0\\x9f\\xbf");             // the same
  CHECK(one_line("\xed\xa0\x80") == "\\xed\\xa0\\x80");             // a surrogate
  CHECK(one_line("\xf4\x90\x80\x80z") == "\\xf4\\x90\\x80\\x80z");  // beyond U+10FFFF
  CHECK(one_line("\xf8\x88\x80\x80\x80") == "\\xf8\\x88\\x80\\x80\\x80");
  CHECK(one_line("a\xc2\x9b"
                 "31m") == "a\\xc2\\x9b31m");  // C1: CSI in one character
  CHECK(one_line("\xe2\x82\xac \xf0\x9f\xa6\x89 \xc2\xa0") == "\xe2\x82\xac \xf0\x9f\xa6\x89 \xc2\xa0");
}
