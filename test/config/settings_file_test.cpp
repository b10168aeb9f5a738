// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/settings_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"

using namespace whiteowl;

namespace {

using Kind = YamlNode::Kind;

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("settings_file_test." + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    std::ofstream{path / name} << text;
    return path / name;
  }
};

template <typename Step>
std::string refusal(const Step& step) {
  try {
    step();
    return "taken";
  } catch (const StartError& error) {
    CHECK(error.status() == ExitStatus::configuration);
    return error.what();
  }
}
std::string of_text(const std::string& text) {
  return refusal([&] { static_cast<void>(parse_settings_text(text, "c.yaml")); });
}
std::string of_file(const std::string& path, FileChoice choice, int cancel_fd = -1) {
  return refusal([&] { static_cast<void>(read_settings_file(path, choice, cancel_fd)); });
}

}  // namespace

TEST_CASE("a text is a tree of values with their places, quotes gone and aliases followed") {
  const YamlNode root = parse_settings_text("a:\n  b: &x [1, '2']\n  c: *x\n  d: !t\n  e:\n", "c.yaml");
  REQUIRE(root.kind == Kind::map);
  REQUIRE(root.children.size() == 2);
  const YamlNode& block = root.children[1];
  REQUIRE(block.children.size() == 8);
  CHECK(block.children[0] == YamlNode{Kind::scalar, false, 2, 3, "b", {}});
  CHECK(block.children[1].children ==
        std::vector<YamlNode>{{Kind::scalar, false, 2, 10, "1", {}}, {Kind::scalar, false, 2, 13, "2", {}}});
  CHECK(block.children[3].children == block.children[1].children);
  CHECK(block.children[5].tagged);
  CHECK(block.children[7].kind == Kind::null);
}

TEST_CASE("a token that the library does not step over is refused at its place") {
  const std::string advice = "; check the indentation, and quote values that contain any of [ ] { } : # & * ! %";
  CHECK(of_text(",") == "c.yaml:1:1: not valid YAML (\",\" cannot stand here)" + advice);
  CHECK(of_text("# x\n\n  , a\n") == "c.yaml:3:3: not valid YAML (\",\" cannot stand here)" + advice);
  CHECK(of_text("---\n,") == "c.yaml:2:1: not valid YAML (\",\" cannot stand here)" + advice);
  CHECK(of_text("a: 1\n---\nb: 2\n") == "c.yaml:3:1: a second document begins here; the settings are one, without ---");
  CHECK(of_text("a: 1\n...\nb: 2\n") == "c.yaml:3:1: a second document begins here; the settings are one, without ---");
  for (const char* const text : {"a: ,\n", "a:\n  ,\n", "[,]\n", "{,}", "]", "}", "a: ]\n", "? ,", ": ,", "- ,"})
    CHECK(!of_text(text).empty());  // whatever is said, it is said at once
}

TEST_CASE("a quote that is never closed is refused where it begins, and one that is closed is not") {
  for (const char* text : {"a:\n  b: \"eth0\n", "a:\n  b: \"eth0", "a:\n  b: 'eth0\n", "a:\n  b: 'it''s\n",
                           "a:\n  b: \"x\\\"\n", "a:\n  b: &x \"eth0\n"}) {
    CAPTURE(text);
    CHECK_THROWS_AS((void)parse_settings_text(text, "f.yaml"), StartError);
  }
  CHECK_THROWS_WITH((void)parse_settings_text("a:\n  b: \"eth0\n", "f.yaml"),
                    "f.yaml:2:6: the quote that begins here is not closed");
  for (const char* text : {"a: \"x\"", "a: 'it''s'", "a: \"x\\\"y\"\n", "a: [\"x\", 'y', z]\n", "a: it's\n",
                           "a: &b \"x\"\n", "\"a\": 1\n", "a: ''\n", "a: \"\"\nb: \"two\n  lines\"\n"}) {
    CAPTURE(text);
    CHECK_NOTHROW((void)parse_settings_text(text, "f.yaml"));
  }
}

TEST_CASE("a small text that stands for a large tree is refused, and one without an end is cut off") {
  constexpr int kWide = 30;
  std::string bomb = "a0: &a0 [x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < kWide; ++k) bomb += (k == 0 ? "" : ", ") + before;
    bomb += "]\n";
  }
  CHECK(of_text(bomb).find("more than 20000 values") != std::string::npos);
  std::string wide;
  for (int i = 0; i < 30'000; ++i) wide += "k" + std::to_string(i) + ": 1\n";
  CHECK(of_text(wide).find("more than 20000 values") != std::string::npos);
  std::string heavy = "a: &a " + std::string(500'000, 'x') + "\n";
  for (int i = 0; i < 5'000; ++i) heavy += "b" + std::to_string(i) + ": *a\n";
  CHECK(of_text(heavy).find("more than 20000 values") != std::string::npos);
  CHECK(of_text("a: &x [*x]\n") == "taken");
  CHECK(of_text(std::string(20'000, '[')) != "taken");
}

TEST_CASE("a tree is the same after it was text, and no other text is a tree") {
  const YamlNode root = parse_settings_text("a:\n  b: [1, \"x\\ny\"]\n  c: ''\n", "c.yaml");
  const std::string text = write_tree(root);
  CHECK(read_tree(text) == root);
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    CAPTURE(cut);
    CHECK_THROWS_AS(static_cast<void>(read_tree(text.substr(0, cut))), std::runtime_error);
  }
  for (const char* const wrong : {"n 1 1 0\nx", "n 1 1 1\n", "x 1 1 0\n", "n?1 1 0\n", "n 1 1 -1\n", "s 1 1 2\na",
                                  "m 1 1 1\nn 1 1 0\n", "l 1 1 99999999999\n", "l 1 1 2000000\n"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(static_cast<void>(read_tree(wrong)), std::runtime_error);
  }
}

TEST_CASE("a pipe that nobody writes is given up after a while, and at once when it is cancelled") {
  const Folder folder;
  const std::string fifo = folder.path / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const UniqueFd cancel{::eventfd(1, EFD_CLOEXEC)};
  CHECK(of_file(fifo, FileChoice::named, cancel.get()) ==
        "cannot read the configuration file " + fifo + ": not understood (cancelled)");
  CHECK(of_file(fifo, FileChoice::named) == "cannot read the configuration file " + fifo +
                                                ": not understood within 5s; it is no settings file, or nobody writes "
                                                "it");
}

TEST_CASE("what is no file of settings is named with the reason") {
  const Folder folder;
  const std::string begin = "cannot read the configuration file ";
  CHECK_FALSE(read_settings_file(folder.path / "none", FileChoice::named));
  CHECK(of_file(folder.path, FileChoice::named) == begin + folder.path.string() + ": Is a directory");
  CHECK(of_file("/dev/zero", FileChoice::named) == begin + "/dev/zero: it is larger than 1 MiB");
  CHECK(of_file("/dev/null", FileChoice::named) == "taken");
}

TEST_CASE("a descriptor of the parent can be named, as <(COMMAND) of a shell does") {
  const Folder folder;
  const UniqueFd file{::open(folder.file("a.yaml", "a: 1\n").c_str(), O_RDONLY | O_CLOEXEC)};
  const auto root = read_settings_file("/dev/fd/" + std::to_string(file.get()), FileChoice::named);
  REQUIRE(root);
  CHECK(root->children.size() == 2);
}

TEST_CASE("a file that was found is read only where nobody else can have put it") {
  const Folder folder;
  const std::string file = folder.file("a.yaml", "a: 1\n");
  const std::string begin = "cannot read the configuration file " + file + ": it was found there and ";
  const std::string end = "; if it is yours, name it with -config";
  CHECK(of_file(file, FileChoice::found) == "taken");
  ::chmod(file.c_str(), 0666);
  CHECK(of_file(file, FileChoice::found) == begin + "everybody may write to it" + end);
  CHECK(of_file(file, FileChoice::named) == "taken");
  ::chmod(file.c_str(), 0644);
  ::chmod(folder.path.c_str(), 01777);
  CHECK(of_file(file, FileChoice::found) == begin + "everybody may put files into that folder" + end);
  CHECK(of_file(file, FileChoice::named) == "taken");
  ::chmod(folder.path.c_str(), 0755);
  const std::string fifo = folder.path / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(of_file(fifo, FileChoice::found).find("is no regular file" + end) != std::string::npos);
  if (::geteuid() != 0 || ::chown(file.c_str(), 12345, 12345) != 0) return;
  CHECK(of_file(file, FileChoice::found) == begin + "belongs to neither root nor you" + end);
  const std::string link = folder.path / "link";
  std::filesystem::create_symlink(folder.file("b.yaml", "a: 1\n"), link);
  CHECK(of_file(link, FileChoice::found) == "taken");
  REQUIRE(::lchown(link.c_str(), 12345, 12345) == 0);
  CHECK(of_file(link, FileChoice::found).find("belongs to neither root nor you") != std::string::npos);
}
