// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/memory_room.hpp"

#include <sys/sysinfo.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>

namespace whiteowl {
namespace {

using Figures = std::map<std::string, std::uint64_t>;

// Adds lines of "NAME: NUMBER kB" up; in front of a node's stands "Node 0".
void read_kib(const std::string& path, Figures& figures) {
  std::ifstream file{path};
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto begin = line.rfind(' ', colon);
    const std::string name = line.substr(begin == std::string::npos ? 0 : begin + 1, colon - begin - 1);
    std::istringstream rest{line.substr(colon + 1)};
    std::uint64_t value = 0;
    if (rest >> value) figures[name] += value << 10U;
  }
}

std::optional<std::uint64_t> figure(const Figures& figures, const char* name) {
  const auto found = figures.find(name);
  return found == figures.end() ? std::nullopt : std::optional{found->second};
}

// What the kernel's own estimate is made of, for a service that may not see /proc/meminfo (ProcSubset=pid).
MemoryRoom::Place room_of_nodes(const std::string& root) {
  Figures figures;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator{root + "/sys/devices/system/node", none}) {
    if (entry.path().filename().string().starts_with("node")) read_kib((entry.path() / "meminfo").string(), figures);
  }
  MemoryRoom::Place place;
  if (const auto total = figure(figures, "MemTotal")) place.total = *total;
  if (const auto free = figure(figures, "MemFree")) {
    const std::uint64_t cached = figures["Active(file)"] + figures["Inactive(file)"] + figures["SReclaimable"];
    place.left = *free + cached / 2;
  }
  return place;
}

MemoryRoom::Place room_of_machine(const std::string& root) {
  Figures figures;
  read_kib(root + "/proc/meminfo", figures);
  MemoryRoom::Place place;
  if (const auto total = figure(figures, "MemTotal")) place.total = *total;
  if (const auto left = figure(figures, "MemAvailable")) place.left = *left;
  if (place.left == MemoryRoom::kNoLimit) place = room_of_nodes(root);
  struct sysinfo information {};
  // Its free memory leaves out what is only cached, which may be nearly all: just the whole is a bound.
  if (place.total == MemoryRoom::kNoLimit && root.empty() && ::sysinfo(&information) == 0)
    place.left = place.total = std::uint64_t{information.totalram} * information.mem_unit;
  return place;
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file{path};
  std::uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // "max", or no such file
}

// Cached pages that nobody has asked for lately are given back before anybody is ended.
std::uint64_t reclaimable(const std::string& path, std::string_view name) {
  std::ifstream file{path};
  std::string word;
  for (std::uint64_t value = 0; file >> word >> value;) {
    if (word == name) return value;
  }
  return 0;
}

struct Hierarchy {
  const char* folder;
  const char *limit, *use, *cached;
};
constexpr Hierarchy kVersion1{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                              "total_inactive_file"};
constexpr Hierarchy kVersion2{"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};

void narrow(MemoryRoom::Place& place, const std::string& group, const Hierarchy& names) {
  const auto limit = number_in(group + "/" + names.limit);
  if (!limit) return;
  place.total = std::min(place.total, *limit);
  const std::uint64_t use = number_in(group + "/" + names.use).value_or(0);
  const std::uint64_t held = use - std::min(use, reclaimable(group + "/memory.stat", names.cached));
  place.left = std::min(place.left, *limit - std::min(*limit, held));
}

// A container may see itself below a root that is its own: what is not there limits nothing.
void narrow_on_the_way(MemoryRoom::Place& place, const std::string& root, std::string path, const Hierarchy& names) {
  const std::string folder = root + names.folder;
  if (path.find("..") != std::string::npos) path.clear();
  while (!path.empty() && path != "/") {
    narrow(place, folder + path, names);
    path.erase(path.rfind('/'));
  }
  narrow(place, folder, names);
}

bool names_memory(const std::string& controllers) {
  std::istringstream words{controllers};
  for (std::string word; std::getline(words, word, ',');) {
    if (word == "memory") return true;
  }
  return false;
}

MemoryRoom::Place room_of_groups(const std::string& root) {
  MemoryRoom::Place place;
  std::ifstream groups{root + "/proc/self/cgroup"};
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) narrow_on_the_way(place, root, path, kVersion2);
    if (names_memory(controllers)) narrow_on_the_way(place, root, path, kVersion1);
  }
  return place;
}

}  // namespace

MemoryRoom memory_room(const std::string& root) { return {room_of_machine(root), room_of_groups(root)}; }

}  // namespace whiteowl
