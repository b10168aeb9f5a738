// SPDX-License-Identifier: Apache-2.0
// Against trees of files as proc(5) and the kernel's cgroup-v1/memory.rst and cgroup-v2.rst describe them.
#include "whiteowl/base/memory_room.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace whiteowl;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20U;

class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "room-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~Tree() { fs::remove_all(root_); }
  Tree& put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream{root_ / path} << text;
    return *this;
  }
  [[nodiscard]] MemoryRoom room() const { return memory_room(root_.string()); }

 private:
  fs::path root_;
};

}  // namespace

TEST_CASE("the machine's room is what the kernel estimates") {
  Tree tree;
  tree.put("proc/meminfo", "MemTotal:        4096 kB\nMemFree:          100 kB\nMemAvailable:    2048 kB\n");
  CHECK(tree.room().machine.total == 4 * kMebi);
  CHECK(tree.room().machine.left == 2 * kMebi);
  CHECK(tree.room().group.left == MemoryRoom::kNoLimit);
}

TEST_CASE("where that is hidden the nodes add up, with half of what is cached") {
  Tree tree;
  for (const char* node : {"node0", "node1"}) {
    tree.put(std::string{"sys/devices/system/node/"} + node + "/meminfo",
             "Node 0 MemTotal:       8192 kB\nNode 0 MemFree:        1024 kB\nNode 0 Active(file):   1024 kB\n"
             "Node 0 Inactive(file): 1024 kB\nNode 0 SReclaimable:      0 kB\n");
  }
  CHECK(tree.room().machine.total == 16 * kMebi);
  CHECK(tree.room().machine.left == 4 * kMebi);
}

TEST_CASE("of the groups on the way to the root the narrowest counts, without what it could give back") {
  Tree tree;
  tree.put("proc/self/cgroup", "0::/system.slice/probe.service\n");
  tree.put("sys/fs/cgroup/system.slice/probe.service/memory.max", "max\n");
  tree.put("sys/fs/cgroup/system.slice/memory.max", std::to_string(100 * kMebi) + "\n");
  tree.put("sys/fs/cgroup/system.slice/memory.current", std::to_string(60 * kMebi) + "\n");
  tree.put("sys/fs/cgroup/system.slice/memory.stat",
           "anon 1\nfile 2\ninactive_file " + std::to_string(20 * kMebi) + "\nactive_file 4\n");
  CHECK(tree.room().group.total == 100 * kMebi);
  CHECK(tree.room().group.left == 60 * kMebi);
  // A container sees its own group as the root.
  tree.put("sys/fs/cgroup/memory.max", std::to_string(50 * kMebi) + "\n");
  tree.put("sys/fs/cgroup/memory.current", std::to_string(80 * kMebi) + "\n");
  CHECK(tree.room().group.total == 50 * kMebi);
  CHECK(tree.room().group.left == 0);
}

TEST_CASE("groups of the first version are found by their controller") {
  Tree tree;
  tree.put("proc/self/cgroup", "5:cpu,cpuacct:/other\n4:memory:/docker/abc\n0::/\n");
  tree.put("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", std::to_string(64 * kMebi) + "\n");
  tree.put("sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", std::to_string(16 * kMebi) + "\n");
  tree.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(tree.room().group.left == 48 * kMebi);
}

TEST_CASE("a path that leads out of the tree, and text that is none of these, limit nothing") {
  Tree tree;
  tree.put("proc/self/cgroup", "0::/../../outside\nnonsense\n\n0:");
  tree.put("proc/meminfo", "MemTotal\nMemAvailable: many kB\n");
  CHECK(tree.room().group.left == MemoryRoom::kNoLimit);
  CHECK(tree.room().machine.left == MemoryRoom::kNoLimit);
}

TEST_CASE("of this machine something is known") {
  const MemoryRoom room = memory_room();
  CHECK(room.machine.left > kMebi);
  CHECK(room.machine.left <= room.machine.total);
}
