// SPDX-License-Identifier: Apache-2.0
// A Config that is being put together: it starts from the defaults and remembers where each setting came from, so that
// a mistake is shown at its place, even one that only shows when everything has been read.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "whiteowl/base/error.hpp"
#include "whiteowl/capture/filter.hpp"
#include "whiteowl/config/config.hpp"
#include "whiteowl/config/options.hpp"

namespace whiteowl {

// Where a setting was written.
struct Origin {
  std::string source;        // file name, or the option of the command line; empty = the default
  int line = 0, column = 0;  // from 1; 0 = not from a file

  // "default", "config.yaml:3", "command line (--set)".
  [[nodiscard]] std::string text() const;
};

// All that is wrong with the settings, so that it can be mended at once.  what() is the first line.
class SettingsError : public StartError {
 public:
  explicit SettingsError(std::vector<std::string> lines);  // at least one
  // For the user, each one line: kMostLines at most, and behind them how many there are still.
  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  static constexpr std::size_t kMostLines = 20;

 private:
  std::vector<std::string> lines_;
};

// Goes on behind a mistake, to find the others.
class Mistakes {
 public:
  // Keeps the lines of a bad configuration that `step` throws; any other failure passes through.
  template <typename Step>
  void collect(const Step& step) {
    try {
      step();
    } catch (const SettingsError& error) {
      lines_.insert(lines_.end(), error.lines().begin(), error.lines().end());
    } catch (const StartError& error) {
      if (error.status() != ExitStatus::configuration) throw;
      lines_.emplace_back(error.what());
    }
  }
  [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }
  void throw_if_any() const;  // SettingsError

 private:
  std::vector<std::string> lines_;
};

class Settings {
 public:
  Settings();  // the defaults

  // The row of a key; throws StartError (78) naming the nearest one.
  [[nodiscard]] static const Option& find(std::string_view key, const Origin& origin);
  // There is no such block: throws StartError (78) naming the nearest one, or the block that has a setting of that
  // name.
  [[noreturn]] static void refuse_block(std::string_view block, const Origin& origin);
  // Takes over a value; throws BadValue.
  void set(const Option& option, const SettingValue& value, const Origin& origin);
  // Takes over a value of the command line; throws SettingsError.
  void set_from_command_line(std::string_view key, const std::string& text, std::string_view flag);

  // What no single value can show: throws SettingsError, each mistake at the setting that was named last.
  void check_relations() const;
  // The filter for live packets, prepared, and for a capture file of Ethernet, as nearly all are.  Throws StartError
  // (78) at the setting if it does not compile or the kernel refuses it, (1) if that was cancelled.
  [[nodiscard]] std::shared_ptr<FilterPrograms> compile_filter(const FilterPatience& patience) const;
  [[nodiscard]] std::shared_ptr<FilterPrograms> compile_file_filter(const FilterPatience& patience) const;
  // As written, before finish(): collectors are those of export.collectors.
  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] const Origin& origin(const Option& option) const;
  // The Config that the modules get: checked, and what several rows say together has been put together.
  [[nodiscard]] Config finish() const;

 private:
  void try_filter(const std::function<void()>& compile) const;

  Config config_;
  std::array<Origin, kOptions.size()> origins_;
};

// The one line for a mistake: FILE:LINE:COLUMN: KEY: why, or --set KEY: why.  Exit 78.
[[noreturn]] void refuse(const Origin& origin, std::string_view key, const std::string& why);

}  // namespace whiteowl
