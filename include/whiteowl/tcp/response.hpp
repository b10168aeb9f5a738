// SPDX-License-Identifier: Apache-2.0

// Response time: from the last octet of a request to the first octet of its answer, as the tap sees them.
// It belongs to the record of the requests' direction, whose destination answers; less that record's smallest
// round-trip time it is the time that the application took.
// Bias: pipelined requests are one; what the server says unasked is no answer; set-up exchanges (TLS) count.  Where the
// opening was not seen, either side may ask.
#pragma once

#include "whiteowl/tcp/observed.hpp"

namespace whiteowl {

// The segment brings new payload.
void observe_exchange(const Observed& observed) noexcept;

}  // namespace whiteowl
