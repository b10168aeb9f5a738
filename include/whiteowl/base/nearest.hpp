// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the nearest right name to a wrong one.
#pragma once

#include <span>
#include <string_view>

namespace whiteowl {

// The candidate with the smallest edit distance (Levenshtein, swapped neighbours count once), or empty if even that
// differs in more than a third of its letters.
[[nodiscard]] std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace whiteowl
