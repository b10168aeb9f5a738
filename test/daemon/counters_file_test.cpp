// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/counters_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "support/folder.hpp"
#include "whiteowl/base/child_task.hpp"
#include "whiteowl/base/error.hpp"

using namespace whiteowl;
using test::Folder;
namespace fs = std::filesystem;

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

struct Numbers {
  ExportCounters exporter;
  CounterSources sources{{}, {}, &exporter};
};

}  // namespace

TEST_CASE("what was there before is replaced as a whole") {
  const Folder folder;
  const std::string path = folder / "counters.json";
  std::ofstream{path} << std::string(100'000, 'x');
  Numbers numbers;
  CountersFile file{path};
  CHECK(text_of(path).size() == 100'000);  // until the end
  file.write(numbers.sources);
  CHECK(nlohmann::json::parse(text_of(path)).at("packets_received") == 0);
}

TEST_CASE("a file that nothing was written into is not left behind") {
  const Folder folder;
  { const CountersFile file{folder / "counters.json"}; }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a place where no file can be is refused at the start") {
  const Folder folder;
  CHECK_THROWS_AS(CountersFile{folder / "nowhere/counters.json"}, StartError);
  CHECK_THROWS_AS(CountersFile{folder.path().string()}, StartError);
}

TEST_CASE("somebody who may not write into the folder any more still fills the file") {
  if (::geteuid() != 0) return;
  const Folder folder;
  const std::string path = folder / "counters.json";
  std::ofstream{path} << std::string(100'000, 'x');
  const auto work = [&] {
    CountersFile file{path};
    Numbers numbers;
    if (::setresuid(65534, 65534, 65534) != 0) return "cannot be another user";
    file.write(numbers.sources);
    return "written";
  };
  ChildTask child{work, {.time = std::chrono::seconds{20}, .memory_octets = std::size_t{1} << 30U}};
  CHECK(child.wait().text == "written");
  CHECK(nlohmann::json::parse(text_of(path)).at("packets_received") == 0);
}

TEST_CASE("a link that leads elsewhere is replaced, and what it leads to is left alone") {
  const Folder folder;
  std::ofstream{folder / "precious"} << "kept";
  fs::create_symlink(folder / "precious", folder / "counters.json");
  Numbers numbers;
  CountersFile file{folder / "counters.json"};
  file.write(numbers.sources);
  CHECK(text_of(folder / "precious") == "kept");
  CHECK(nlohmann::json::parse(text_of(folder / "counters.json")).at("packets_received") == 0);
}
