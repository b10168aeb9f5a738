// SPDX-License-Identifier: Apache-2.0
// A settings file as the tree that YAML makes of it, read and parsed in a process of its own: neither a pipe that
// nobody writes nor a text on which the YAML library loops or eats memory stops the probe. Promise: an answer within
// kFilePatience; at most kMostValues values, no deeper than a list of blocks in a setting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

inline constexpr Duration kFilePatience = std::chrono::seconds{5};
inline constexpr std::size_t kMostValues = 20'000;

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  bool tagged = false;       // begins with what YAML takes for a tag
  int line = 0, column = 0;  // from 1; 0 = YAML does not say
  std::string text;          // of a scalar, without its quotes
  // Of a list; of a map its keys, each followed by its value.  Empty below kDeepest.
  std::vector<YamlNode> children;

  friend bool operator==(const YamlNode&, const YamlNode&) = default;
};

// Who chose the file: one that was merely found must belong to root or to who runs this, and nobody else may have put
// it there.
enum class FileChoice : std::uint8_t { named, found };

// Nothing if there is no such file.  Throws StartError (78): unreadable, larger than 1 MiB, not to be trusted, no YAML,
// not understood in time; std::system_error when there is no process to be had.  `cancel_fd`: gives up when readable.
[[nodiscard]] std::optional<YamlNode> read_settings_file(const std::string& path, FileChoice choice,
                                                         int cancel_fd = -1);
// The same from memory; `name` stands for the file in messages.
[[nodiscard]] YamlNode parse_settings_text(const std::string& yaml, const std::string& name);

// The tree as text, each node behind its parent, and back.  Both stop at kMostValues and kDeepest; read_tree() takes
// only what write_tree() writes and throws std::runtime_error for all else.
inline constexpr int kDeepest = 4;  // file, block, setting, list, and what should not stand in a list
[[nodiscard]] std::string write_tree(const YamlNode& root);
[[nodiscard]] YamlNode read_tree(std::string_view text);

}  // namespace whiteowl
