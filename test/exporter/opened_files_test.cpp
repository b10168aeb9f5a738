// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/opened_files.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/folder.hpp"
#include "whiteowl/base/error.hpp"

using namespace whiteowl;
using test::Folder;
namespace fs = std::filesystem;

TEST_CASE("a file keeps what is in it until an output takes it") {
  const Folder folder;
  const std::string path = folder / "flows.ipfix";
  std::ofstream{path} << "of yesterday";
  OpenedFiles files;
  files.open(path);
  CHECK(fs::file_size(path) == 12);
  OutputFile taken = files.take(path);
  CHECK(fs::file_size(path) == 0);
  CHECK(taken.write("x", 1).octets == 1);
  CHECK(fs::file_size(path) == 1);
}

TEST_CASE("a file that was made for nothing is gone again, one that was there or was taken is not") {
  const Folder folder;
  std::ofstream{folder / "old"} << "kept";
  {
    OpenedFiles files;
    for (const char* name : {"old", "new", "taken"}) files.open(folder / name);
    CHECK(files.take(folder / "taken").write("x", 1).error == 0);
  }
  CHECK(fs::file_size(folder / "old") == 4);
  CHECK_FALSE(fs::exists(folder / "new"));
  CHECK(fs::exists(folder / "taken"));
}

TEST_CASE("what cannot be written is refused with its name, now or when it is asked for") {
  const Folder folder;
  OpenedFiles files;
  CHECK_THROWS_AS(files.open(folder / "nowhere/flows.ipfix"), StartError);
  CHECK_THROWS_AS(static_cast<void>(files.take(folder / "nowhere/flows.ipfix")), StartError);
  CHECK(files.take(folder / "later.ipfix").write("x", 1).error == 0);
}
