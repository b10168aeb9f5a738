// SPDX-License-Identifier: Apache-2.0
// The head of an HTTP request (RFC 9112, RFC 9110), as far as a server with one page has to understand it.
#pragma once

#include <cstddef>
#include <string_view>

namespace whiteowl {

// What a request is answered with; the numbers are HTTP's.
enum class HttpStatus : int {
  ok = 200,
  bad_request = 400,
  not_found = 404,
  method_not_allowed = 405,
  misdirected = 421,
  head_too_large = 431,
};

struct HttpVerdict {
  HttpStatus status = HttpStatus::bad_request;
  bool head_only = false;  // HEAD: everything but the body
};

// Octets of the head with the empty line that ends it; 0: not all of it is there.
[[nodiscard]] std::size_t http_head_octets(std::string_view received) noexcept;

// What a whole head asks for.  `page` is the path of the only page.  With `only_local_names` the request must name this
// host by an address of its own loopback interface or as localhost: a page of the network, whose name was made to point
// here, then gets nothing (DNS rebinding).
[[nodiscard]] HttpVerdict judge_http_request(std::string_view head, std::string_view page,
                                             bool only_local_names) noexcept;

}  // namespace whiteowl
