// SPDX-License-Identifier: Apache-2.0
// The house rules that a machine can check: order of the modules, fences around libraries, file heads, layout, words,
// lengths, links.  Links nothing of the product.  What a rule means and why is in CONTRIBUTING.md.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace fs = std::filesystem;

namespace {

using Names = std::set<std::string>;

constexpr std::size_t kLineMax = 120;
constexpr std::size_t kFunctionLinesMax = 80;

// The order of the modules, a second time: src/*/module.cmake says the same in its LINK lines.
const std::map<std::string, Names> kMayInclude = {
    {"base", {}},
    {"packet", {"base"}},
    {"capture", {"base", "packet"}},
    {"tcp", {"base", "packet"}},
    {"flow", {"base", "packet", "tcp"}},
    {"ipfix", {"base", "packet", "tcp", "flow"}},
    {"exporter", {"base", "flow", "ipfix"}},
    {"config", {"base", "capture", "flow", "ipfix", "exporter"}},
    {"daemon", {"base", "packet", "capture", "tcp", "flow", "ipfix", "exporter", "config"}},
};

// Settings structs that config holds beside those of the modules it links.
const std::map<std::string, Names> kMayIncludeToo = {{"config", {"packet/decode.hpp", "tcp/settings.hpp"}}};

struct Fence {
  const char* header;               // regular expression on what stands between the brackets
  std::vector<std::string> inside;  // the only files or folders that may include it
};

const std::vector<Fence> kFences = {
    {R"(pcap(/.*)?\.h|pcap\.h)", {"src/capture/filter.cpp"}},
    {R"(linux/if_packet\.h)", {"src/capture/fanout.cpp", "src/capture/kept_rings.cpp", "src/capture/ring_source.cpp"}},
    {R"(yaml-cpp/.*)", {"src/config/settings_file.cpp"}},
    {R"(cxxopts\.hpp)", {"src/config/load.cpp"}},
    {R"(spdlog/.*)", {"src/daemon/", "src/exporter/"}},
    {R"((bpf|linux)/(lib)?bpf.*)", {"src/capture/loaded_program.cpp"}},
    {R"(systemd/.*)", {"src/daemon/"}},
    {R"(prometheus/.*)", {"src/daemon/metrics.cpp"}},
    {R"(cap-ng\.h)", {"src/daemon/privileges.cpp"}},
    {R"(seccomp\.h)", {"src/daemon/system_call_filter.cpp"}},
};

struct Ban {
  const char* word;                 // regular expression
  std::string instead;              // what to do
  std::vector<std::string> except;  // files or folders where the word has its place
};

const std::vector<Ban> kBans = {
    {R"(\b(TODO|FIXME|XXX|HACK)\b)", "finish it, or say in prose what is not done and why", {}},
    {R"(\b(ntoh|hton)(s|l|ll)\b)", "Be<T> of base/wire.hpp: the type says the order", {"test/"}},
    {R"(\b(strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\()", "std::string, or fmt", {}},
    {R"(\bsystem\s*\()", "call what you need; a shell is no interface", {"test/support/"}},
    {R"(\bs?rand\s*\()", "a seeded <random> engine: every run is the same run", {}},
    {R"(\busing\s+namespace\s+std\s*;)", "name what you use", {}},
    {R"(\bstd::(cout|cerr|clog)\b)", "the log, or an output given to you", {}},
    {R"((^|[^\w:])printf\s*\()", "the log, or an output given to you", {}},
    {R"(\bnew\s+[A-Za-z_:]+\s*[\[({<])", "std::make_unique, or a container", {"test/"}},
    {R"(\b(usleep|nanosleep|sleep_for|sleep_until)\b)",
     "pass time as an argument; wait for a condition, not for a while",
     {"src/daemon/", "test/daemon/", "src/exporter/", "test/exporter/", "test/capture/"}},
    {R"(\bconst_cast\b)", "say who owns the bytes, and take them from there", {"test/"}},
    {R"(\bstd::(format|expected|views|source_location)\b)", "fmt, exceptions, algorithms: clang 14 must read it", {}},
    {R"(system_clock::now)",
     "time is an argument",
     {"src/daemon/", "test/daemon/", "src/capture/ring_source.cpp", "test/capture/", "test/exporter/"}},
    {R"(#\s*pragma\s+pack)", "WireStruct: alignment 1 by its types", {}},
    {R"(#\s*if(n?def)?\s.*\b(TESTING|UNIT_TEST)\b)", "no code knows that it is tested", {}},
};

// What may stand at the top of the tree.  Anything else goes into a folder.
const Names kTop = {".ci",
                    ".clang-format",
                    ".clang-tidy",
                    ".editorconfig",
                    ".github",
                    ".gitignore",
                    "CMakeLists.txt",
                    "CMakePresets.json",
                    "LICENSE",
                    "README.md",
                    "ARCHITECTURE.md",
                    "CONTRIBUTING.md",
                    "CHANGELOG.md",
                    "etc",
                    "include",
                    "man",
                    "packaging",
                    "src",
                    "test"};

// Sources without a header of their own stem: programs, and bodies declared in a neighbour's header.
const Names kNoHeader = {"src/daemon/main.cpp", "src/capture/filter.cpp"};
// Sources that other tests cover: where, is said on the right.
const std::map<std::string, std::string> kTestedElsewhere = {
    {"src/daemon/main.cpp", "test/system"},
    {"src/capture/link_type.cpp", "test/capture/file_source_test.cpp"},
    {"src/capture/pcap_format.cpp", "test/capture/file_source_test.cpp"},
    {"src/capture/pcapng_format.cpp", "test/capture/file_source_test.cpp"},
    {"src/exporter/resolver.cpp", "test/exporter/transports_test.cpp"},
    {"src/tcp/duplicate.cpp", "test/tcp/meter_test.cpp"},
    {"src/tcp/segment.cpp", "test/tcp/meter_test.cpp"},
    {"src/tcp/tcp_state.cpp", "test/tcp/meter_test.cpp"},
};
// Tests of a promise that several files keep together.
const Names kTestOfMany = {"test/flow/allocation_test.cpp", "test/flow/meter_property_test.cpp",
                           "test/flow/tcp_records_test.cpp", "test/packet/any_bytes_test.cpp",
                           "test/tcp/vectors_test.cpp"};

const fs::path& root() {
  static const fs::path path{WHITEOWL_SOURCE_DIR};
  return path;
}

bool made_by_tools(const std::string& name) {
  return name == ".git" || name.starts_with("build") || name.starts_with("obj-") || name == "debian" ||
         name == ".cache" || name == "CMakeUserPresets.json" || name == "__pycache__" || name == ".vscode" ||
         name == ".idea";
}

// Every file of the tree, relative to its root, in order.
const std::vector<std::string>& files() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> found;
    for (fs::recursive_directory_iterator it{root()}, end; it != end; ++it) {
      const auto name = it->path().filename().string();
      if (name == "__pycache__" || (it.depth() == 0 && made_by_tools(name))) {
        if (it->is_directory()) it.disable_recursion_pending();
        continue;
      }
      if (it->is_regular_file()) found.push_back(fs::relative(it->path(), root()).string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }();
  return all;
}

std::string read(const std::string& file) {
  std::ifstream in{root() / file, std::ios::binary};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& file) {
  std::vector<std::string> lines;
  std::istringstream in{read(file)};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool is_cpp(const std::string& file) { return file.ends_with(".cpp") || file.ends_with(".hpp"); }
bool is_binary(const std::string& file) {
  return file.ends_with(".pcap") || file.ends_with(".pcapng") || file.starts_with("test/fuzz/corpus");
}
bool is_script(const std::string& file) {
  return file.ends_with(".py") || file.ends_with(".sh") || (!is_binary(file) && read(file).starts_with("#!"));
}

bool under(const std::string& file, const std::vector<std::string>& places) {
  return std::any_of(places.begin(), places.end(), [&](const std::string& place) {
    return place.ends_with("/") ? file.starts_with(place) : file == place;
  });
}

std::string module_of(const std::string& file) {
  static const std::regex place{R"(^(?:include/whiteowl|src)/([a-z]+)/)"};
  std::smatch match;
  return std::regex_search(file, match, place) ? match[1].str() : std::string{};
}

std::string at(const std::string& file, std::size_t line) { return file + ":" + std::to_string(line + 1) + ": "; }

// Comments, strings and characters blanked out, line breaks kept: what is left has meaning as code.
class Blanker {
 public:
  explicit Blanker(const std::string& text) : text_{text} {}

  std::string code() {
    while (at_ < text_.size()) {
      if (here("//"))
        skip_to("\n", 0);
      else if (here("/*"))
        skip_to("*/", 2);
      else if (here("R\""))
        skip_to(")" + text_.substr(at_ + 2, text_.find('(', at_) - at_ - 2) + "\"", 1);
      else if (text_[at_] == '"')
        skip_quoted('"');
      else if (text_[at_] == '\'' && !digit_before())
        skip_quoted('\'');
      else
        code_.push_back(text_[at_++]);
    }
    return std::move(code_);
  }

 private:
  bool here(std::string_view what) const { return text_.compare(at_, what.size(), what) == 0; }
  bool digit_before() const { return at_ > 0 && std::isalnum(static_cast<unsigned char>(text_[at_ - 1])) != 0; }
  void blank_until(std::size_t end) {
    for (; at_ < std::min(end, text_.size()); ++at_) code_.push_back(text_[at_] == '\n' ? '\n' : ' ');
  }
  void skip_to(const std::string& end, std::size_t more) {
    const auto found = text_.find(end, at_ + more);
    blank_until(found == std::string::npos ? text_.size() : found + (end == "\n" ? 0 : end.size()));
  }
  void skip_quoted(char quote) {
    auto end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') end += text_[end] == '\\' ? 2U : 1U;
    blank_until(end + 1);
  }

  const std::string& text_;
  std::string code_;
  std::size_t at_ = 0;
};

std::string code_only(const std::string& text) { return Blanker{text}.code(); }

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

struct Body {
  std::string head;         // what stands before the brace
  std::size_t first, last;  // lines
};

// Function bodies, found by braces alone: good enough to measure them.
class BodyFinder {
 public:
  explicit BodyFinder(const std::string& code)
      : code_{std::regex_replace(code, std::regex{R"((^|\n)[ ]*#[^\n]*)"}, "$1")} {}  // without preprocessor lines

  std::vector<Body> find() {
    for (const char c : code_) {
      if (c == '\n') ++line_;
      if (c == '{')
        open();
      else if (c == '}')
        close();
      else if (c == ';' && transparent())
        forget();
      else if (transparent())
        statement_.push_back(c);
    }
    return std::move(bodies_);
  }

 private:
  enum class Kind { scope, function, value };

  bool transparent() const {
    return std::all_of(open_.begin(), open_.end(), [](Kind kind) { return kind == Kind::scope; });
  }
  void forget() {
    statement_.clear();
    after_body_ = false;
  }
  Kind kind() const {
    static const std::regex scope{
        R"(^\s*(template\s*<[\s\S]*>\s*)?((inline\s+)?namespace|class|struct|union|enum|extern)\b)"};
    if (std::regex_search(statement_, scope) &&
        !std::regex_search(statement_, std::regex{R"(\)\s*(const|noexcept)?\s*$)"}))
      return Kind::scope;
    if (after_body_ || statement_.find('(') != std::string::npos) return Kind::function;
    return Kind::value;
  }
  void open() {
    if (transparent()) {
      // A brace after a brace and a comma or nothing: the initialisers of a constructor go on, or its body begins.
      const auto next = statement_.find_first_not_of(" \n\t");
      if (after_body_ && next != std::string::npos && statement_[next] != ',') after_body_ = false;
      const Kind what = kind();
      if (what == Kind::function && !after_body_) bodies_.push_back({statement_, line_, line_});
      open_.push_back(what);
      if (what == Kind::scope) forget();
    } else {
      open_.push_back(Kind::value);
    }
  }
  void close() {
    if (open_.empty()) return;
    const Kind what = open_.back();
    open_.pop_back();
    if (!transparent()) return;
    forget();
    if (what == Kind::function) {
      bodies_.back().last = line_;
      after_body_ = true;
    }
  }

  std::string code_;
  std::string statement_;
  std::vector<Kind> open_;
  std::vector<Body> bodies_;
  std::size_t line_ = 0;
  bool after_body_ = false;
};

// LINK lines of a module.cmake: the words after LINK up to the next keyword.
Names linked(const std::string& module) {
  Names names;
  std::istringstream words{std::regex_replace(read("src/" + module + "/module.cmake"), std::regex{R"([()])"}, " ")};
  bool inside = false;
  for (std::string word; words >> word;) {
    if (word == "LINK")
      inside = true;
    else if (word == "PRIVATE_LINK" || word == "SOURCES" || word == "add_executable")
      inside = false;
    else if (inside && kMayInclude.contains(word))
      names.insert(word);
    if (word == "add_executable") break;
  }
  return names;
}

}  // namespace

TEST_CASE("the link lines of the modules and the table here say the same order") {
  for (const auto& [module, allowed] : kMayInclude) {
    CAPTURE(module);
    CHECK(linked(module) == allowed);
  }
}

TEST_CASE("the order of the modules has no circle") {
  for (const auto& [module, allowed] : kMayInclude)
    for (const auto& below : allowed) {
      CAPTURE(module);
      CAPTURE(below);
      CHECK_FALSE(kMayInclude.at(below).contains(module));
    }
}

TEST_CASE("a file includes its own module and those below it, no other") {
  static const std::regex ours{R"re(^\s*#\s*include\s+"whiteowl/(([a-z]+)/[^"]+)")re"};
  for (const auto& file : files()) {
    const auto module = module_of(file);
    if (module.empty() || !is_cpp(file)) continue;
    REQUIRE_MESSAGE(kMayInclude.contains(module), file << ": module " << module << " is in no table");
    const auto lines = lines_of(file);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(lines[i], match, ours)) continue;
      const auto used = match[2].str();
      const auto too = kMayIncludeToo.find(module);
      const bool allowed = used == module || kMayInclude.at(module).contains(used) ||
                           (too != kMayIncludeToo.end() && too->second.contains(match[1].str()));
      CHECK_MESSAGE(allowed, at(file, i) << module << " may not know " << used);
    }
  }
}

TEST_CASE("a library is included in the files that stand for it, and nowhere else") {
  static const std::regex include{R"re(^\s*#\s*include\s+[<"]([^>"]+)[>"])re"};
  for (const auto& file : files()) {
    if (!is_cpp(file) || !(file.starts_with("src/") || file.starts_with("include/"))) continue;
    const auto lines = lines_of(file);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(lines[i], match, include)) continue;
      for (const auto& fence : kFences) {
        const bool fenced = std::regex_match(match[1].str(), std::regex{fence.header});
        CHECK_MESSAGE((!fenced || under(file, fence.inside)), at(file, i) << match[1].str() << " is fenced off here");
      }
    }
  }
}

TEST_CASE("a file opens with its licence") {
  for (const auto& file : files()) {
    if (is_binary(file)) continue;
    auto lines = lines_of(file);
    const bool cmake = file.ends_with(".cmake") || file.ends_with("CMakeLists.txt");
    if (!is_cpp(file) && !is_script(file) && !cmake) continue;
    if (!lines.empty() && lines[0].starts_with("#!")) lines.erase(lines.begin());
    const std::string licence = std::string{is_cpp(file) ? "//" : "#"} + " SPDX-License-Identifier: Apache-2.0";
    CHECK_MESSAGE((!lines.empty() && lines[0] == licence), file);
  }
}

TEST_CASE("a file says what it is for: in its header where there is one, else at its own top") {
  const Names all{files().begin(), files().end()};
  for (const auto& file : files()) {
    if (is_binary(file) || file.ends_with("_test.cpp") || !(is_cpp(file) || is_script(file))) continue;
    if (file.starts_with("src/") && all.contains("include/whiteowl/" + file.substr(4, file.size() - 7) + "hpp"))
      continue;
    const std::string comment = is_cpp(file) ? "// " : "# ";
    bool said = false;
    for (const auto& line : lines_of(file)) {
      if (line.empty() || line.starts_with("#!") || line.find("SPDX-License-Identifier") != std::string::npos) continue;
      said = line.starts_with(comment) || line.starts_with(R"(""")");
      break;
    }
    CHECK_MESSAGE(said, file);
  }
}

TEST_CASE("a header guards itself by pragma once, right after its head comment") {
  for (const auto& file : files()) {
    if (!file.ends_with(".hpp")) continue;
    const auto lines = lines_of(file);
    const auto first = std::find_if(lines.begin(), lines.end(),
                                    [](const std::string& line) { return !line.empty() && !line.starts_with("//"); });
    CHECK_MESSAGE((first != lines.end() && *first == "#pragma once"), file);
  }
}

TEST_CASE("lines are short, without tabs and without blanks at their end") {
  for (const auto& file : files()) {
    if (is_binary(file) || file == "LICENSE") continue;
    const bool tabs_mean_something =
        file.ends_with(".tsv") || file.ends_with(".csv") || file.ends_with("/rules") || file.ends_with("Makefile");
    const bool width_is_free = file.ends_with(".md") || file.ends_with(".csv") || file.ends_with(".tsv") ||
                               file.ends_with(".json") || file.ends_with(".cmake") ||
                               file.ends_with("CMakeLists.txt") || file.starts_with("packaging/") ||
                               file.starts_with("etc/") || file.starts_with("man/") || file.ends_with(".clang-tidy");
    const auto text = read(file);
    CHECK_MESSAGE((text.empty() || text.back() == '\n'), file << ": no line break at the end");
    CHECK_MESSAGE(text.find('\r') == std::string::npos, file << ": carriage returns");
    const auto lines = split_lines(text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      // Octets that continue a UTF-8 sequence take no place on the screen.
      const auto width = static_cast<std::size_t>(std::count_if(
          lines[i].begin(), lines[i].end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
      if (!width_is_free) CHECK_MESSAGE(width <= kLineMax, at(file, i) << width << " columns");
      if (!tabs_mean_something) CHECK_MESSAGE(lines[i].find('\t') == std::string::npos, at(file, i) << "tab");
      if (!lines[i].empty()) CHECK_MESSAGE(lines[i].back() != ' ', at(file, i) << "blank at the end");
    }
  }
}

TEST_CASE("banned words do not occur; each has its replacement") {
  std::vector<std::regex> words;
  for (const auto& ban : kBans) words.emplace_back(ban.word);
  for (const auto& file : files()) {
    if (is_binary(file) || file == "test/tidy_test.cpp" || file == "LICENSE" || !(is_cpp(file) || is_script(file)))
      continue;
    const auto plain = lines_of(file);
    const auto code = is_cpp(file) ? split_lines(code_only(read(file))) : std::vector<std::string>{};
    for (std::size_t ban = 0; ban < kBans.size(); ++ban) {
      // Unfinished work hides in comments; everything else is a matter of C++ code.
      const auto& lines = ban == 0 ? plain : code;
      if (under(file, kBans[ban].except)) continue;
      for (std::size_t i = 0; i < lines.size(); ++i)
        CHECK_MESSAGE(!std::regex_search(lines[i], words[ban]),
                      at(file, i) << plain[i] << "\n  instead: " << kBans[ban].instead);
    }
  }
}

TEST_CASE("no file names a folder of somebody's machine") {
  static const std::regex home{R"((^|[\s"'`(=:])/(home|root|work|Users)/)"};
  for (const auto& file : files()) {
    if (is_binary(file) || file == "test/tidy_test.cpp") continue;
    const auto lines = lines_of(file);
    for (std::size_t i = 0; i < lines.size(); ++i)
      CHECK_MESSAGE(!std::regex_search(lines[i], home), at(file, i) << lines[i]);
  }
}

TEST_CASE("a body stands beside its header, and a test beside both") {
  const Names all{files().begin(), files().end()};
  const auto stem = [](const std::string& file, const std::string& prefix) {
    return file.substr(prefix.size(), file.rfind('.') - prefix.size());
  };
  for (const auto& file : files()) {
    if (file.starts_with("src/") && file.ends_with(".cpp")) {
      const auto name = stem(file, "src/");
      const bool has_header = all.contains("include/whiteowl/" + name + ".hpp") || all.contains("src/" + name + ".hpp");
      CHECK_MESSAGE((has_header || kNoHeader.contains(file)), file << ": no header of this stem");
      CHECK_MESSAGE((all.contains("test/" + name + "_test.cpp") || kTestedElsewhere.contains(file)),
                    file << ": no test of this stem");
    }
    if (file.starts_with("test/") && file.ends_with("_test.cpp") && std::count(file.begin(), file.end(), '/') == 2) {
      auto name = stem(file, "test/");
      name.resize(name.size() - std::string_view{"_test"}.size());
      const auto module = name.substr(0, name.find('/'));
      if (!kMayInclude.contains(module) || kTestOfMany.contains(file)) continue;
      const bool known = all.contains("include/whiteowl/" + name + ".hpp") || all.contains("src/" + name + ".hpp") ||
                         all.contains("src/" + name + ".cpp");
      CHECK_MESSAGE(known, file << ": tests no stem of the product");
    }
  }
}

TEST_CASE("what lies in a folder with a module.cmake is built by it") {
  for (const auto& file : files()) {
    const fs::path path{file};
    const auto list = path.parent_path() / "module.cmake";
    if (path.extension() != ".cpp" || !fs::exists(root() / list)) continue;
    const std::regex name{R"(\b)" + std::regex_replace(path.filename().string(), std::regex{R"(\.)"}, R"(\.)") +
                          R"(\b)"};
    CHECK_MESSAGE(std::regex_search(read(list.string()), name), file << ": no target has it, so it is never compiled");
  }
}

TEST_CASE("what is said to be tested elsewhere exists, and so does elsewhere") {
  for (const auto& [file, where] : kTestedElsewhere) {
    CHECK_MESSAGE(fs::exists(root() / file), file);
    CHECK_MESSAGE(fs::exists(root() / where), where);
  }
}

TEST_CASE("the top of the tree holds what is listed, nothing else") {
  for (const auto& entry : fs::directory_iterator{root()}) {
    const auto name = entry.path().filename().string();
    CHECK_MESSAGE((made_by_tools(name) || kTop.contains(name)), name);
  }
}

TEST_CASE("a function fits a screen") {
  for (const auto& file : files()) {
    if (!is_cpp(file) || !(file.starts_with("src/") || file.starts_with("include/"))) continue;
    for (const auto& body : BodyFinder{code_only(read(file))}.find()) {
      const auto length = body.last - body.first + 1;
      CHECK_MESSAGE(length <= kFunctionLinesMax, at(file, body.first) << length << " lines:" << body.head);
    }
  }
}

TEST_CASE("comments and texts do not count as code, digit separators do") {
  CHECK(code_only("a // b\nc /* d\n e */ f") == "a     \nc     \n      f");
  CHECK(code_only(R"x(f("g\"h", 'i', 1'000))x") == "f(      ,    , 1'000)");
  CHECK(code_only("R\"(a\nb)\" c") == "    \n    c");
}

TEST_CASE("the body finder measures what it should") {
  const std::string code =
      "#if defined(X)\n#endif\nnamespace a {\nstruct B {\n  int f() const {\n    if (x) {\n    }\n    return 1;\n  "
      "}\n};\n"
      "B::B(int x) : a_{x}, b_{(x)} {\n  g();\n}\nconstexpr int kTable[] = {1, 2};\nvoid h() {}\n}\n";
  const auto bodies = BodyFinder{code}.find();
  REQUIRE(bodies.size() == 3);
  CHECK(bodies[0].last - bodies[0].first == 4);
  CHECK(bodies[1].last - bodies[1].first == 2);
  CHECK(bodies[2].last == bodies[2].first);
}

TEST_CASE("a relative link in a document leads somewhere") {
  static const std::regex link{R"(\]\(([^)#:\s]+)(#[^)]*)?\))"};
  for (const auto& file : files()) {
    if (!file.ends_with(".md")) continue;
    const auto lines = lines_of(file);
    bool code = false;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].starts_with("```")) code = !code;
      if (code) continue;
      for (std::sregex_iterator it{lines[i].begin(), lines[i].end(), link}, end; it != end; ++it) {
        const auto target = (root() / file).parent_path() / (*it)[1].str();
        CHECK_MESSAGE(fs::exists(target), at(file, i) << (*it)[1].str());
      }
    }
  }
}

TEST_CASE("a path that a document names in code exists") {
  // `src/...`, `test/...` and so on: a document that points at a file which moved is worse than none.
  static const std::regex path{R"(`((?:src|include|test|etc|man|packaging|\.ci)/[A-Za-z0-9_./-]+)`)"};
  for (const auto& file : files()) {
    if (!file.ends_with(".md") || file == "CHANGELOG.md") continue;
    const auto lines = lines_of(file);
    for (std::size_t i = 0; i < lines.size(); ++i)
      for (std::sregex_iterator it{lines[i].begin(), lines[i].end(), path}, end; it != end; ++it)
        CHECK_MESSAGE(fs::exists(root() / (*it)[1].str()), at(file, i) << (*it)[1].str());
  }
}

TEST_CASE("the documents that a newcomer looks for are there and begin with a title") {
  for (const std::string file : {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"}) {
    CAPTURE(file);
    const auto lines = lines_of(file);
    REQUIRE_FALSE(lines.empty());
    CHECK(lines[0].starts_with("# "));
  }
  CHECK(read("LICENSE").find("Apache License") != std::string::npos);
}
