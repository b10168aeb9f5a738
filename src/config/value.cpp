// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/value.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <system_error>

#include "whiteowl/base/nearest.hpp"

namespace whiteowl {

namespace {

using Nanoseconds = std::uint64_t;

// For messages: what somebody pasted by mistake need not fill the screen.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 64;
  return "\"" + std::string{text.substr(0, kMost)} + (text.size() > kMost ? "...\"" : "\"");
}

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

const std::string& only_item(const SettingValue& value) {
  if (value.is_list) throw BadValue{"one value is wanted here, not a list", BadValue::kWhole};
  return value.items.front();
}

struct DurationUnit {
  std::string_view name;
  Nanoseconds nanoseconds;
};
// As Go: µ is U+00B5 or U+03BC.
constexpr std::array<DurationUnit, 8> kUnits{{{"h", 3'600'000'000'000},
                                              {"m", 60'000'000'000},
                                              {"s", 1'000'000'000},
                                              {"ms", 1'000'000},
                                              {"us", 1'000},
                                              {"\u00B5s", 1'000},
                                              {"\u03BCs", 1'000},
                                              {"ns", 1}}};

// floor(0.DIGITS x unit) without rounding on the way: by groups of six digits from the last to the first.
// A group times an hour fits 64 bits.
Nanoseconds fraction_of(std::string_view digits, Nanoseconds unit) {
  constexpr std::size_t kGroup = 6;
  Nanoseconds below = 0;
  for (std::size_t end = digits.size(); end > 0;) {
    const std::size_t begin = (end - 1) / kGroup * kGroup;
    Nanoseconds group = 0;
    for (std::size_t i = begin; i < begin + kGroup; ++i)
      group = group * 10 + (i < digits.size() ? static_cast<Nanoseconds>(digits[i] - '0') : 0);
    below = (group * unit + below) / 1'000'000;
    end = begin;
  }
  return below;
}

constexpr auto kMaxNanoseconds = static_cast<Nanoseconds>(kMaxDuration.count());

std::string too_long(std::string_view text) {
  return quoted(text) + " is too long; allowed: up to " + to_text(kMaxDuration);
}

std::string_view take_while(std::string_view& text, bool (*fits)(char)) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), fits);
  const std::string_view taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

// One number with its unit from the front of `rest`.
Nanoseconds take_duration_part(std::string_view& rest, std::string_view whole) {
  const std::string_view digits = take_while(rest, is_digit);
  std::string_view fraction;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    fraction = take_while(rest, is_digit);
  }
  if (digits.empty() && fraction.empty()) throw BadValue{quoted(whole) + " is not a duration, such as 90s or 1m30s"};
  const std::string_view name = take_while(rest, [](char c) { return !is_digit(c) && c != '.'; });
  if (name.empty()) throw BadValue{quoted(whole) + " has no unit; write " + std::string{whole} + "s for seconds"};
  const auto* const unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& u) { return u.name == name; });
  if (unit == kUnits.end())
    throw BadValue{quoted(whole) + ": " + quoted(name) + " is not a unit of time; use h, m, s, ms, us or ns"};
  Nanoseconds count = 0;
  if (!digits.empty()) {
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (parsed.ec != std::errc{} || count > kMaxNanoseconds / unit->nanoseconds) throw BadValue{too_long(whole)};
  }
  return count * unit->nanoseconds + fraction_of(fraction, unit->nanoseconds);
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// A list, or a scalar with commas; empty text is an empty list.
std::vector<std::string> items_of(const SettingValue& value) {
  if (value.is_list) return value.items;
  std::vector<std::string> items;
  std::string_view rest = value.items.front();
  if (trim(rest).empty()) return items;
  for (;;) {
    const auto comma = rest.find(',');
    items.emplace_back(trim(rest.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    rest.remove_prefix(comma + 1);
  }
}

// Where an item of items_of() stands in the SettingValue.
std::size_t position(const SettingValue& value, std::size_t item) { return value.is_list ? item : 0; }

// Empty, or what is wrong with the quotes of an element that was written between commas, where they mean nothing.
std::string check_quotes(const SettingValue& value, std::string_view item) {
  if (value.is_list || item.empty()) return {};
  const bool opens = item.front() == '"' || item.front() == '\'';
  const bool closes = item.back() == '"' || item.back() == '\'';
  const auto first = std::min(item.find_first_not_of("\"'"), item.size());
  const std::string bare{item.substr(first, item.find_last_not_of("\"'") + 1 - first)};
  if (bare.empty() && (opens || closes)) return "there is nothing but quotes";
  if (opens && item.size() > 1 && item.back() == item.front())
    return std::string{item} + " stands in quotes, which are taken for part of it here; write " + bare;
  if (opens) return "the quote before " + bare + " is not closed; write " + bare;
  if (closes) return "the quote behind " + bare + " was not opened; write " + bare;
  return {};
}

std::int64_t number_within(const std::string& text, const Limits& limits) {
  const bool has_word = !limits.zero_word.empty();
  if (has_word && text == limits.zero_word) return 0;
  std::int64_t number = 0;
  try {
    number = parse_number(text);
  } catch (const BadValue& bad) {
    throw BadValue{has_word ? quoted(text) + " is neither a whole number nor " + std::string{limits.zero_word}
                            : bad.what()};
  }
  if (has_word && number == 0) return 0;
  if (number >= limits.min && number <= limits.max) return number;
  throw BadValue{text + " is out of range; allowed: " + std::to_string(limits.min) + " to " +
                 std::to_string(limits.max) + (has_word ? ", or " + std::string{limits.zero_word} : "")};
}

}  // namespace

SettingValue scalar(std::string text) { return SettingValue{.items = {std::move(text)}}; }

Duration parse_duration(std::string_view text) {
  if (text == "0") return Duration{0};
  if (text.substr(0, 1) == "-") throw BadValue{quoted(text) + " is negative; a duration is 0 or more"};
  std::string_view rest = text;
  Nanoseconds sum = 0;
  do {
    // Each part is at most the maximum and a little, so the sum cannot wrap before it is looked at.
    sum += take_duration_part(rest, text);
    if (sum > kMaxNanoseconds) throw BadValue{too_long(text)};
  } while (!rest.empty());
  return Duration{static_cast<Duration::rep>(sum)};
}

std::string to_text(Duration duration) {
  const auto count = duration.count();
  if (count % 1'000'000'000 == 0) return std::to_string(count / 1'000'000'000) + "s";
  if (count % 1'000'000 == 0) return std::to_string(count / 1'000'000) + "ms";
  if (count % 1'000 == 0) return std::to_string(count / 1'000) + "us";
  return std::to_string(count) + "ns";
}

std::int64_t parse_number(std::string_view text) {
  const std::string_view digits = text.substr(0, 1) == "-" ? text.substr(1) : text;
  if (!all_digits(digits)) throw BadValue{quoted(text) + " is not a whole number"};
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  // Too many digits for 64 bits is too many for every limit: the nearest end is refused in the same words.
  if (parsed.ec == std::errc::result_out_of_range)
    return text.front() == '-' ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  return number;
}

HostPort parse_host_port(std::string_view text) {
  HostPort result;
  std::string_view port;
  bool has_port = false;
  if (text.find("://") != std::string_view::npos) throw BadValue{check_collector_address(std::string{text})};
  if (text.substr(0, 1) == "[") {
    const auto close = text.find(']');
    if (close == std::string_view::npos) throw BadValue{quoted(text) + " has no ] after the address"};
    result.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    has_port = !port.empty();
    if (has_port && port.front() != ':') throw BadValue{quoted(text) + ": only :PORT may follow the ]"};
    if (has_port) port.remove_prefix(1);
    if (result.host.find(':') == std::string::npos)
      throw BadValue{quoted(text) + ": only IPv6 addresses stand in brackets"};
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    has_port = true;
    result.host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
  } else {
    result.host = text;
  }
  if (std::string why = check_collector_address(result.host); !why.empty()) throw BadValue{why};
  if (result.host.empty()) throw BadValue{quoted(text) + " names no host"};
  if (has_port) {
    const std::int64_t number = all_digits(port) ? parse_number(port) : 0;
    if (number < 1 || number > 65'535) throw BadValue{quoted(port) + " is not a port; allowed: 1 to 65535"};
    result.port = static_cast<std::uint16_t>(number);
  }
  return result;
}

std::string to_text(const HostPort& host_and_port) {
  const bool brackets = host_and_port.port != 0 && host_and_port.host.find(':') != std::string::npos;
  std::string text = brackets ? "[" + host_and_port.host + "]" : host_and_port.host;
  if (host_and_port.port != 0) text += ":" + std::to_string(host_and_port.port);
  return text;
}

std::string check_interface_name(const std::string& name) {
  constexpr std::size_t kLongest = 127;  // of an alternative name: ALTIFNAMSIZ less the closing zero
  if (name.empty()) return "an interface name is empty";
  if (name.size() > kLongest) return quoted(name) + " is too long for an interface name (127 characters at most)";
  // The kernel takes brackets; at the ends they are a list that was meant for a settings file.
  if (name.find_first_of("/ \t\n") != std::string::npos || name.front() == '[' || name.back() == ']')
    return quoted(name) + " cannot be an interface name";
  return {};
}

std::string check_listen_address(const std::string& address) {
  if (address.empty()) return {};
  // A port alone, as other programs take it for all addresses; or a name.
  const std::string_view port = std::string_view{address}.substr(address.rfind(':') + 1);
  const std::string_view before = std::string_view{address}.substr(0, address.size() - port.size());
  if (all_digits(port) && (before.empty() || before == ":" || before == "*:" || before == "localhost:"))
    return quoted(address) + " names no address; write 127.0.0.1:" + std::string{port};
  HostPort where;
  try {
    where = parse_host_port(address);
  } catch (const BadValue& bad) {
    return bad.what();
  }
  std::array<std::uint8_t, 16> octets{};
  const bool is_address = inet_pton(AF_INET, where.host.c_str(), octets.data()) == 1 ||
                          inet_pton(AF_INET6, where.host.c_str(), octets.data()) == 1;
  if (!is_address || where.port == 0)
    return quoted(address) + " is not an address and a port; write 127.0.0.1:9108 or [::1]:9108";
  return {};
}

std::string check_collector_address(const std::string& address) {
  if (address.find("://") != std::string::npos)
    return quoted(address) + " is no address or name; export.collectors takes URIs";
  const auto colons = std::count(address.begin(), address.end(), ':');
  if (colons == 1) return quoted(address) + " has a port; that is export.collector_port";
  if (address.find_first_of("[]") != std::string::npos) return quoted(address) + ": write the address without brackets";
  if (colons > 1) {
    std::array<std::uint8_t, 16> octets{};
    const std::string without_zone = address.substr(0, address.find('%'));
    return inet_pton(AF_INET6, without_zone.c_str(), octets.data()) == 1 ? ""
                                                                         : quoted(address) + " is not an IPv6 address";
  }
  if (!address.empty() && address.find_first_not_of("0123456789.") == std::string::npos) {
    std::array<std::uint8_t, 4> octets{};
    return inet_pton(AF_INET, address.c_str(), octets.data()) == 1 ? "" : quoted(address) + " is not an IPv4 address";
  }
  for (const char c : address) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !is_digit(c) && c != '.' && c != '-' && c != '_')
      return quoted(address) + " is neither an address nor a host name";
  }
  return {};
}

std::size_t read_word(const SettingValue& value, const Limits& limits) {
  const std::string& text = only_item(value);
  const auto found = std::find(limits.words.begin(), limits.words.end(), text);
  if (found != limits.words.end()) return static_cast<std::size_t>(found - limits.words.begin());
  std::string why = quoted(text) + " is not one of ";
  for (const auto word : limits.words) why += (word == limits.words.front() ? "" : ", ") + std::string{word};
  if (const auto near = nearest(text, limits.words); !near.empty()) why += "; did you mean " + std::string{near} + "?";
  throw BadValue{why};
}

void read_value(bool& out, const SettingValue& value, const Limits& limits) {
  if (!limits.words.empty()) {
    out = read_word(value, limits) == 1;
    return;
  }
  const std::string& text = only_item(value);
  constexpr std::array<std::string_view, 9> kYes{"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
  constexpr std::array<std::string_view, 9> kNo{"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"};
  const bool yes = std::find(kYes.begin(), kYes.end(), text) != kYes.end();
  if (!yes && std::find(kNo.begin(), kNo.end(), text) == kNo.end())
    throw BadValue{quoted(text) + " is not true or false"};
  out = yes;
}

void read_value(std::uint16_t& out, const SettingValue& value, const Limits& limits) {
  out = static_cast<std::uint16_t>(number_within(only_item(value), limits));
}

void read_value(std::uint32_t& out, const SettingValue& value, const Limits& limits) {
  out = static_cast<std::uint32_t>(number_within(only_item(value), limits));
}

void read_value(Duration& out, const SettingValue& value, const Limits& limits) {
  const Duration duration = parse_duration(only_item(value));
  if (duration.count() < limits.min)
    throw BadValue{only_item(value) + " is too short; allowed: " + to_text(Duration{limits.min}) + " or more"};
  out = duration;
}

void read_value(std::string& out, const SettingValue& value, const Limits& limits) {
  const std::string& text = only_item(value);
  if (limits.check != nullptr) {
    if (const std::string why = limits.check(text); !why.empty()) throw BadValue{why};
  }
  out = text;
}

void read_value(std::vector<std::string>& out, const SettingValue& value, const Limits& limits) {
  std::vector<std::string> items = items_of(value);
  std::vector<BadValue::Item> bad;
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::string why = check_quotes(value, items[i]);
    if (why.empty() && items[i].empty()) why = "an element of the list is empty";
    if (why.empty() && limits.check != nullptr) why = limits.check(items[i]);
    const auto upto = items.begin() + static_cast<std::ptrdiff_t>(i);
    if (why.empty() && std::find(items.begin(), upto, items[i]) != upto) why = quoted(items[i]) + " is named twice";
    if (!why.empty()) bad.push_back({position(value, i), std::move(why)});
  }
  if (!bad.empty()) throw BadValue{std::move(bad)};
  out = std::move(items);
}

void read_value(std::vector<std::uint32_t>& out, const SettingValue& value, const Limits& limits) {
  const std::vector<std::string> items = items_of(value);
  std::vector<std::uint32_t> numbers;
  std::vector<BadValue::Item> bad;
  for (std::size_t i = 0; i < items.size(); ++i) {
    try {
      numbers.push_back(static_cast<std::uint32_t>(number_within(items[i], limits)));
    } catch (const BadValue& wrong) {
      bad.push_back({position(value, i), wrong.what()});
    }
  }
  if (!bad.empty()) throw BadValue{std::move(bad)};
  // A list may be empty; a lone value may not.
  if (numbers.empty() && !value.is_list) throw BadValue{"a number is wanted"};
  out = std::move(numbers);
}

SettingValue write_value(bool in, const Limits& limits) {
  if (!limits.words.empty()) return scalar(std::string{limits.words[in ? 1 : 0]});
  return scalar(in ? "true" : "false");
}

SettingValue write_value(std::uint16_t in, const Limits& limits) { return write_value(std::uint32_t{in}, limits); }

SettingValue write_value(std::uint32_t in, const Limits& limits) {
  if (in == 0 && !limits.zero_word.empty()) return scalar(std::string{limits.zero_word});
  return scalar(std::to_string(in));
}

SettingValue write_value(Duration in, const Limits&) { return scalar(to_text(in)); }

SettingValue write_value(const std::string& in, const Limits&) { return scalar(in); }

SettingValue write_value(const std::vector<std::string>& in, const Limits&) {
  // A lone element is written without brackets, unless a comma in it would then divide it.
  if (in.size() == 1 && items_of(scalar(in.front())) == in) return scalar(in.front());
  return SettingValue{.items = in, .is_list = true};
}

SettingValue write_value(const std::vector<std::uint32_t>& in, const Limits&) {
  if (in.size() == 1) return scalar(std::to_string(in.front()));
  SettingValue value{.items = {}, .is_list = true};
  for (const auto number : in) value.items.push_back(std::to_string(number));
  return value;
}

}  // namespace whiteowl
