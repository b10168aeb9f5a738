// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/settings_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "whiteowl/base/child_task.hpp"
#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"
#include "whiteowl/config/settings.hpp"

namespace whiteowl {

namespace {

constexpr std::size_t kMostOctets = 1 << 20;  // a settings file is small; whatever is larger was named by mistake
constexpr std::size_t kMostMemory = std::size_t{256} << 20U;

// What the child says: one of these, and the tree, a Flaw or a sentence.
constexpr char kTree = 't', kFlaw = 'f', kUnreadable = 'u', kAbsent = 'a';

// Why the text is no tree, and where.
struct Flaw {
  int line = 0, column = 0;
  std::string why;
};

// The parser ----------------------------------------------------------------------------------------------------------

constexpr const char* kAdvice = "; check the indentation, and quote values that contain any of [ ] { } : # & * ! %";

// A node while it is made.  An alias is one more way to its anchor's node.
struct Draft {
  YamlNode node;
  std::vector<std::size_t> children;
};

Flaw flaw_at(const YAML::Mark& mark, std::string why) { return {mark.line + 1, mark.column + 1, std::move(why)}; }

// From the place of a mark on.
std::string_view rest_at(std::string_view text, const YAML::Mark& mark) {
  for (int i = 0; i < mark.line && text.find('\n') != std::string_view::npos; ++i)
    text.remove_prefix(text.find('\n') + 1);
  return text.substr(std::min(static_cast<std::size_t>(std::max(mark.column, 0)), text.size()));
}

// The library takes the end of the text for the end of a scalar whose quote was never closed.
bool quote_is_open(std::string_view scalar) {
  constexpr std::string_view kSpace = " \t\r\n";
  while (scalar.starts_with('&') || scalar.starts_with('!')) {  // anchor and tag stand before it
    scalar.remove_prefix(std::min(scalar.find_first_of(kSpace), scalar.size()));
    scalar.remove_prefix(std::min(scalar.find_first_not_of(kSpace), scalar.size()));
  }
  if (!scalar.starts_with('"') && !scalar.starts_with('\'')) return false;
  const char quote = scalar.front();
  for (std::size_t at = 1; at < scalar.size(); ++at) {
    if (scalar[at] == '\\' && quote == '"') {
      ++at;
    } else if (scalar[at] == quote) {
      if (quote == '"' || at + 1 == scalar.size() || scalar[at + 1] != quote) return false;
      ++at;
    }
  }
  return true;
}

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(std::string_view text) : text_{text} {}
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(YamlNode::Kind::null, mark, "", anchor); }
  void OnAlias(const YAML::Mark&, YAML::anchor_t anchor) override { hang_up(anchors_[anchor]); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag == "!" && quote_is_open(rest_at(text_, mark)))
      throw flaw_at(mark, "the quote that begins here is not closed");
    drafts_[add(YamlNode::Kind::scalar, mark, tag, anchor)].node.text = value;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open_.push_back(add(YamlNode::Kind::list, mark, tag, anchor));
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open_.push_back(add(YamlNode::Kind::map, mark, tag, anchor));
  }
  void OnMapEnd() override { open_.pop_back(); }

  // Aliases are followed here: a small text can stand for a large tree, or one without an end.
  [[nodiscard]] YamlNode tree() const {
    std::size_t octets = 0, values = 0;
    if (drafts_.empty()) return {};
    return tree(0, 0, octets, values);
  }

 private:
  std::size_t add(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (drafts_.size() == kMostValues) refuse_amount(mark.line + 1, mark.column + 1);
    Draft draft;
    draft.node.kind = kind;
    // "?" and "!" are the library's words for no tag.
    draft.node.tagged = !tag.empty() && tag != "?" && tag != "!";
    draft.node.line = mark.line + 1;
    draft.node.column = mark.column + 1;
    const std::size_t at = drafts_.size();
    drafts_.push_back(std::move(draft));
    if (anchor != 0) anchors_[anchor] = at;
    hang_up(at);
    return at;
  }
  void hang_up(std::size_t at) {
    if (!open_.empty()) drafts_[open_.back()].children.push_back(at);
  }
  [[noreturn]] static void refuse_amount(int line, int column) {
    throw Flaw{line, column, "too much for a settings file: more than " + std::to_string(kMostValues) + " values"};
  }
  [[nodiscard]] YamlNode tree(std::size_t at, int depth, std::size_t& octets, std::size_t& values) const {
    const Draft& draft = drafts_[at];
    octets += draft.node.text.size();
    if (++values > kMostValues || octets > 4 * kMostOctets) refuse_amount(draft.node.line, draft.node.column);
    YamlNode node = draft.node;
    if (depth == kDeepest) return node;
    for (const std::size_t child : draft.children) node.children.push_back(tree(child, depth + 1, octets, values));
    return node;
  }

  std::string_view text_;
  std::vector<Draft> drafts_;
  std::vector<std::size_t> open_;
  std::map<YAML::anchor_t, std::size_t> anchors_;
};

std::string_view line_of(std::string_view text, int number) {
  for (int i = 0; i < number && text.find('\n') != std::string_view::npos; ++i) text.remove_prefix(text.find('\n') + 1);
  return text.substr(0, text.find('\n'));
}

// Whatever else the text holds ends the reading: on some texts the library finds one empty document after another.
class SecondDocument final : public YAML::EventHandler {
 public:
  explicit SecondDocument(std::string_view text) : text_{text} {}
  void OnDocumentStart(const YAML::Mark& mark) override {
    const std::string_view line = line_of(text_, mark.line);
    if (line.starts_with("---")) return;
    const std::string_view rest =
        line.substr(std::min(static_cast<std::size_t>(std::max(mark.column, 0)), line.size()));
    if (rest.empty() || std::string_view{",]}:?"}.find(rest.front()) == std::string_view::npos) return;
    throw flaw_at(mark, "not valid YAML (\"" + std::string{rest.substr(0, 1)} + "\" cannot stand here)" + kAdvice);
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
    refuse(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    refuse(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    refuse(mark);
  }
  void OnMapEnd() override {}

 private:
  [[noreturn]] static void refuse(const YAML::Mark& mark) {
    throw flaw_at(mark, "a second document begins here; the settings are one, without ---");
  }
  std::string_view text_;
};

// A line for people in place of the parser's, which leaves open what to do.
Flaw flaw_of(const std::string& text, const YAML::Exception& error) {
  const std::string_view line = line_of(text, error.mark.line);
  const auto indent = std::min(line.find_first_not_of(" \t"), line.size());
  if (const auto tab = line.substr(0, indent).find('\t'); tab != std::string_view::npos)
    return {error.mark.line + 1, static_cast<int>(tab) + 1, "a tab indents this line; YAML wants spaces"};
  return flaw_at(error.mark, "not valid YAML (" + error.msg + ")" + kAdvice);
}

// Throws Flaw.
YamlNode parse(const std::string& text) {
  std::istringstream in{text};
  try {
    YAML::Parser parser{in};
    Builder builder{text};
    parser.HandleNextDocument(builder);
    SecondDocument none{text};
    parser.HandleNextDocument(none);
    return builder.tree();
  } catch (const YAML::Exception& error) {
    throw flaw_of(text, error);
  }
}

// In the child --------------------------------------------------------------------------------------------------------

std::string parsed(const std::string& text) {
  try {
    return kTree + write_tree(parse(text));
  } catch (const Flaw& flaw) {
    return kFlaw + std::to_string(flaw.line) + " " + std::to_string(flaw.column) + " " + flaw.why;
  }
}

std::string system_message() { return std::generic_category().message(errno); }

// A child has none of its parent's descriptors, but can ask for what they lead to: <(COMMAND) of a shell is one.
std::string as_seen_by_child(const std::string& path, pid_t parent) {
  for (const std::string_view own : {"/dev/fd/", "/proc/self/fd/"}) {
    if (path.starts_with(own)) return "/proc/" + std::to_string(parent) + "/fd/" + path.substr(own.size());
  }
  return path;
}

bool is_trusted(uid_t owner, const std::string& path) {
  if (owner == 0 || owner == ::geteuid()) return true;
  // In a user namespace root's own files belong to a stranger, as / does.
  struct stat root {};
  return path.starts_with("/") && ::stat("/", &root) == 0 && owner == root.st_uid;
}

// Empty, or why the file is not read unless it is named.
std::string suspicion(const std::string& path, int file) {
  struct stat of_file {
  }, of_entry{}, of_folder{};
  const std::string folder = std::filesystem::path{path}.parent_path();
  if (::fstat(file, &of_file) != 0 || ::lstat(path.c_str(), &of_entry) != 0 ||
      ::stat(folder.empty() ? "." : folder.c_str(), &of_folder) != 0)
    return system_message();
  const std::string remedy = "; if it is yours, name it with -config";
  if (!is_trusted(of_file.st_uid, path) || !is_trusted(of_entry.st_uid, path))
    return "it was found there and belongs to neither root nor you" + remedy;
  if ((of_file.st_mode & S_IWOTH) != 0) return "it was found there and everybody may write to it" + remedy;
  if ((of_folder.st_mode & S_IWOTH) != 0)
    return "it was found there and everybody may put files into that folder" + remedy;
  if (!S_ISREG(of_file.st_mode) && !S_ISDIR(of_file.st_mode))
    return "it was found there and is no regular file" + remedy;
  return {};
}

std::string read_and_parse(const std::string& path, FileChoice choice) {
  // Whoever leaves a pipe there must not even make us wait for its writer.
  const int patience = choice == FileChoice::found ? O_NONBLOCK : 0;
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | patience)};
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return {kAbsent};
  if (!file) return kUnreadable + system_message();
  if (choice == FileChoice::found) {
    if (const std::string why = suspicion(path, file.get()); !why.empty()) return kUnreadable + why;
  }
  std::string text;
  std::array<char, 65'536> buffer{};
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return kUnreadable + system_message();
    if (got == 0) return parsed(text);
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kMostOctets) return kUnreadable + std::string{"it is larger than 1 MiB"};
  }
}

// In the parent -------------------------------------------------------------------------------------------------------

[[noreturn]] void refuse_file(const std::string& path, const std::string& why) {
  throw StartError{ExitStatus::configuration, "cannot read the configuration file " + path + ": " + why};
}

// A number from the front of `text` and the character behind it; throws std::runtime_error.
int take_number(std::string_view& text, char behind) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || end == text.data() + text.size() || *end != behind)
    throw std::runtime_error{"the answer of its reader is damaged"};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

std::optional<YamlNode> tree_of(std::string_view answer, const std::string& name) {
  const char kind = answer.empty() ? '\0' : answer.front();
  answer.remove_prefix(std::min<std::size_t>(1, answer.size()));
  if (kind == kAbsent) return std::nullopt;
  if (kind == kUnreadable) refuse_file(name, std::string{answer});
  if (kind == kFlaw) {
    const int line = take_number(answer, ' ');
    const int column = take_number(answer, ' ');
    refuse(Origin{.source = name, .line = line, .column = column}, {}, std::string{answer});
  }
  return read_tree(answer);
}

std::optional<YamlNode> ask_child(const std::function<std::string()>& work, const std::string& name, int cancel_fd) {
  ChildTask child{work, {.time = kFilePatience, .memory_octets = kMostMemory}};
  const ChildTask::Outcome outcome = child.wait(cancel_fd);
  if (outcome.state == ChildTask::State::timed_out)
    refuse_file(name,
                "not understood within " + to_text(kFilePatience) + "; it is no settings file, or nobody writes it");
  if (outcome.state != ChildTask::State::done) refuse_file(name, "not understood (" + outcome.text + ")");
  try {
    return tree_of(outcome.text, name);
  } catch (const StartError&) {
    throw;
  } catch (const std::runtime_error& error) {
    refuse_file(name, error.what());
  }
}

void write_node(const YamlNode& node, int depth, std::size_t& left, std::string& out) {
  constexpr std::string_view kKinds = "nslm";
  if (left-- == 0) throw std::runtime_error{"too many values"};
  const bool is_leaf = node.kind == YamlNode::Kind::scalar;
  const std::size_t count = depth == kDeepest ? 0 : node.children.size();
  out += kKinds[static_cast<std::size_t>(node.kind)];
  out += node.tagged ? '!' : ' ';
  for (const int number : {node.line, node.column}) out += std::to_string(number) + " ";
  out += std::to_string(is_leaf ? node.text.size() : count) + "\n";
  if (is_leaf) out += node.text;
  for (std::size_t i = 0; !is_leaf && i < count; ++i) write_node(node.children[i], depth + 1, left, out);
}

YamlNode read_node(std::string_view& text, int depth, std::size_t& left) {
  constexpr std::string_view kKinds = "nslm";
  const auto kind = text.size() < 2 || left == 0 ? std::string_view::npos : kKinds.find(text[0]);
  if (kind == std::string_view::npos || (text[1] != ' ' && text[1] != '!'))
    throw std::runtime_error{"the answer of its reader is damaged"};
  --left;
  YamlNode node{.kind = static_cast<YamlNode::Kind>(kind), .tagged = text[1] == '!', .text = {}, .children = {}};
  text.remove_prefix(2);
  node.line = take_number(text, ' ');
  node.column = take_number(text, ' ');
  const auto count = static_cast<std::size_t>(take_number(text, '\n'));
  const bool is_leaf = node.kind == YamlNode::Kind::scalar;
  const bool has_children = node.kind == YamlNode::Kind::list || node.kind == YamlNode::Kind::map;
  if (count > (is_leaf                            ? text.size()
               : has_children && depth < kDeepest ? left
                                                  : 0) ||
      (node.kind == YamlNode::Kind::map && count % 2 != 0))
    throw std::runtime_error{"the answer of its reader is damaged"};
  if (is_leaf) {
    node.text = text.substr(0, count);
    text.remove_prefix(count);
    return node;
  }
  node.children.reserve(count);
  for (std::size_t i = 0; i < count; ++i) node.children.push_back(read_node(text, depth + 1, left));
  return node;
}

}  // namespace

std::string write_tree(const YamlNode& root) {
  std::string out;
  std::size_t left = kMostValues;
  write_node(root, 0, left, out);
  return out;
}

YamlNode read_tree(std::string_view text) {
  std::size_t left = kMostValues;
  YamlNode root = read_node(text, 0, left);
  if (!text.empty()) throw std::runtime_error{"the answer of its reader is damaged"};
  return root;
}

std::optional<YamlNode> read_settings_file(const std::string& path, FileChoice choice, int cancel_fd) {
  const std::string seen = as_seen_by_child(path, ::getpid());
  return ask_child([&] { return read_and_parse(seen, choice); }, path, cancel_fd);
}

YamlNode parse_settings_text(const std::string& yaml, const std::string& name) {
  return *ask_child([&] { return parsed(yaml); }, name, -1);
}

}  // namespace whiteowl
