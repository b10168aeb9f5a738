// SPDX-License-Identifier: Apache-2.0
// Values of settings between text and C++ types: one parser for the YAML file, the command line and the defaults.
// Promise: what write_value() gives, read_value() takes back unchanged.  Nothing is rounded, wrapped or guessed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

// A setting as it was written: one scalar, or the scalars of a list.  Quotes are gone.
struct SettingValue {
  std::vector<std::string> items;
  bool is_list = false;  // a YAML sequence; else items has exactly one element
  friend bool operator==(const SettingValue&, const SettingValue&) = default;
};
[[nodiscard]] SettingValue scalar(std::string text);

// Why a value was refused, without where it stood.  Of a list, why each element was that is wrong.
class BadValue : public std::runtime_error {
 public:
  static constexpr std::size_t kWhole = SIZE_MAX;  // no item of the list, but that it is one
  struct Item {
    std::size_t position;  // in SettingValue::items
    std::string why;
  };
  explicit BadValue(const std::string& why, std::size_t item = 0) : BadValue{std::vector<Item>{{item, why}}} {}
  explicit BadValue(std::vector<Item> items)  // at least one; what() is the first
      : std::runtime_error{items.front().why}, items_{std::move(items)} {}
  [[nodiscard]] const std::vector<Item>& items() const noexcept { return items_; }

 private:
  std::vector<Item> items_;
};

// What a setting may be.  Which members count depends on the type of its destination.
struct Limits {
  std::int64_t min = 0;                     // numbers; nanoseconds for durations
  std::int64_t max = 0;                     // the same
  std::string_view unit;                    // of a number, for people
  std::string_view zero_word;               // word that stands for 0; 0 is then allowed whatever `min` says
  std::span<const std::string_view> words;  // of an enumeration or a two-word switch, in the order of its values
  std::string (*check)(const std::string&) = nullptr;  // of each text: empty, or why it cannot be
};

// The longest time that any setting takes: 10^7 s, nearly four months.
inline constexpr Duration kMaxDuration = std::chrono::seconds{10'000'000};

// Go's grammar (time.ParseDuration): a sequence of decimal numbers, each with a unit h, m, s, ms, us, µs or ns; or 0.
// Parts of a nanosecond are cut off.  Throws BadValue: not a duration, negative, or longer than kMaxDuration.
[[nodiscard]] Duration parse_duration(std::string_view text);
// In the largest of s, ms, us, ns that needs no fraction: 300s, 1500ms.
[[nodiscard]] std::string to_text(Duration duration);
// Digits, a minus sign before them at most.  Throws BadValue.
[[nodiscard]] std::int64_t parse_number(std::string_view text);

// HOST, HOST:PORT, [IPV6]:PORT or a bare IPv6 address.
struct HostPort {
  std::string host;        // without brackets
  std::uint16_t port = 0;  // 0 = none was given
};
[[nodiscard]] HostPort parse_host_port(std::string_view text);     // throws BadValue
[[nodiscard]] std::string to_text(const HostPort& host_and_port);  // with brackets where they are needed
// Checks for Limits::check: empty, or why not.
[[nodiscard]] std::string check_interface_name(const std::string& name);
[[nodiscard]] std::string check_collector_address(const std::string& address);
[[nodiscard]] std::string check_listen_address(const std::string& address);  // ADDRESS:PORT, or empty

// One parser and one writer per type of destination.  The parsers throw BadValue and leave `out` alone then.
void read_value(bool& out, const SettingValue& value, const Limits& limits);
void read_value(std::uint16_t& out, const SettingValue& value, const Limits& limits);
void read_value(std::uint32_t& out, const SettingValue& value, const Limits& limits);
void read_value(Duration& out, const SettingValue& value, const Limits& limits);
void read_value(std::string& out, const SettingValue& value, const Limits& limits);
void read_value(std::vector<std::string>& out, const SettingValue& value, const Limits& limits);
void read_value(std::vector<std::uint32_t>& out, const SettingValue& value, const Limits& limits);
[[nodiscard]] SettingValue write_value(bool in, const Limits& limits);
[[nodiscard]] SettingValue write_value(std::uint16_t in, const Limits& limits);
[[nodiscard]] SettingValue write_value(std::uint32_t in, const Limits& limits);
[[nodiscard]] SettingValue write_value(Duration in, const Limits& limits);
[[nodiscard]] SettingValue write_value(const std::string& in, const Limits& limits);
[[nodiscard]] SettingValue write_value(const std::vector<std::string>& in, const Limits& limits);
[[nodiscard]] SettingValue write_value(const std::vector<std::uint32_t>& in, const Limits& limits);

// Position of the value in limits.words.
[[nodiscard]] std::size_t read_word(const SettingValue& value, const Limits& limits);
template <typename Enum>
requires std::is_enum_v<Enum>
void read_value(Enum& out, const SettingValue& value, const Limits& limits) {
  out = static_cast<Enum>(read_word(value, limits));
}
template <typename Enum>
requires std::is_enum_v<Enum>
[[nodiscard]] SettingValue write_value(Enum in, const Limits& limits) {
  return scalar(std::string{limits.words[static_cast<std::size_t>(in)]});
}

}  // namespace whiteowl
