// SPDX-License-Identifier: Apache-2.0
// An IPFIX reader for tests.  It knows RFC 7011 and nothing of the program's table of elements, so that what it reads
// back is a second opinion.  Every departure from the RFC is a line in `faults`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ipfix_reader {

struct Field {
  std::uint32_t pen = 0;  // 0 = IANA
  std::uint16_t id = 0;
  std::vector<std::uint8_t> bytes;

  [[nodiscard]] std::uint64_t number() const {  // unsigned, network order
    std::uint64_t value = 0;
    for (const std::uint8_t octet : bytes) value = value << 8U | octet;
    return value;
  }
  [[nodiscard]] std::string text() const { return {bytes.begin(), bytes.end()}; }
};

struct Record {
  std::uint16_t template_id = 0;
  std::uint16_t scope_fields = 0;  // 0 = a Flow Record
  std::vector<Field> fields;

  [[nodiscard]] const Field* find(std::uint32_t pen, std::uint16_t id) const {
    for (const Field& field : fields) {
      if (field.pen == pen && field.id == id) return &field;
    }
    return nullptr;
  }
};

struct Message {
  std::uint32_t export_time = 0, sequence = 0, domain = 0;
  std::size_t octets = 0;
  std::vector<std::uint16_t> sets;       // Set ids in their order
  std::vector<std::uint16_t> templates;  // ids of the (Options) Template Records in it
  std::vector<Record> records;
};

class Reader {
 public:
  std::vector<std::string> faults;

  // One Message.  Sequence numbers are checked from the second one on.
  Message read(std::span<const std::uint8_t> bytes) {
    Message message;
    message.octets = bytes.size();
    if (bytes.size() < 16 || get(bytes, 0, 2) != 10 || get(bytes, 2, 2) != bytes.size()) {
      faults.push_back("bad message header");
      return message;
    }
    message.export_time = static_cast<std::uint32_t>(get(bytes, 4, 4));
    message.sequence = static_cast<std::uint32_t>(get(bytes, 8, 4));
    message.domain = static_cast<std::uint32_t>(get(bytes, 12, 4));
    if (started_ && message.sequence != expected_) {
      faults.push_back("sequence " + std::to_string(message.sequence) + ", expected " + std::to_string(expected_));
    }
    for (std::size_t at = 16; at < bytes.size();) {
      const std::size_t left = bytes.size() - at;
      const std::size_t length = left < 4 ? 0 : get(bytes, at + 2, 2);
      if (length < 4 || length > left) {
        faults.push_back("bad set length");
        return message;
      }
      read_set(static_cast<std::uint16_t>(get(bytes, at, 2)), bytes.subspan(at + 4, length - 4), message);
      at += length;
    }
    started_ = true;
    expected_ = message.sequence + static_cast<std::uint32_t>(message.records.size());
    return message;
  }
  // Messages one after another, as in a file (RFC 5655) or over TCP.
  std::vector<Message> read_all(std::span<const std::uint8_t> bytes) {
    std::vector<Message> messages;
    while (bytes.size() >= 16) {
      const std::size_t length = get(bytes, 2, 2);
      if (length < 16 || length > bytes.size()) break;
      messages.push_back(read(bytes.first(length)));
      bytes = bytes.subspan(length);
    }
    if (!bytes.empty()) faults.push_back("bytes after the last message");
    return messages;
  }
  // Messages were lost on the way: any next sequence number is fine.
  void expect_gap() { started_ = false; }
  // A new Transport Session: no template is known, any first sequence number is fine.
  void new_session() {
    templates_.clear();
    started_ = false;
  }

 private:
  struct Spec {
    std::uint32_t pen;
    std::uint16_t id, length;
  };
  struct Layout {
    std::uint16_t scope_fields = 0;
    std::vector<Spec> fields;
  };

  static std::uint64_t get(std::span<const std::uint8_t> bytes, std::size_t at, std::size_t octets) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < octets; ++i) value = value << 8U | bytes[at + i];
    return value;
  }

  void read_set(std::uint16_t id, std::span<const std::uint8_t> body, Message& message) {
    message.sets.push_back(id);
    if (id == 2 || id == 3) return read_templates(body, id == 3, message);
    if (id < 256) return faults.push_back("set id " + std::to_string(id));
    const auto found = templates_.find(id);
    if (found == templates_.end()) return faults.push_back("data set " + std::to_string(id) + " before its template");
    read_records(id, found->second, body, message);
  }

  void read_templates(std::span<const std::uint8_t> body, bool options, Message& message) {
    std::size_t at = 0;
    while (body.size() - at >= 4) {
      const auto id = static_cast<std::uint16_t>(get(body, at, 2));
      const std::size_t count = get(body, at + 2, 2);
      at += 4;
      Layout layout;
      if (options && body.size() - at >= 2) {
        layout.scope_fields = static_cast<std::uint16_t>(get(body, at, 2));
        at += 2;
        if (layout.scope_fields == 0) faults.push_back("options template without scope");
      }
      for (std::size_t i = 0; i < count; ++i) {
        const bool enterprise = body.size() - at >= 4 && (body[at] & 0x80U) != 0;
        if (body.size() - at < (enterprise ? 8U : 4U)) return faults.push_back("template cut off");
        layout.fields.push_back({enterprise ? static_cast<std::uint32_t>(get(body, at + 4, 4)) : 0,
                                 static_cast<std::uint16_t>(get(body, at, 2) & 0x7FFFU),
                                 static_cast<std::uint16_t>(get(body, at + 2, 2))});
        at += enterprise ? 8 : 4;
      }
      if (id < 256 || count == 0) faults.push_back("bad template " + std::to_string(id));
      templates_[id] = std::move(layout);
      message.templates.push_back(id);
    }
    if (at != body.size()) faults.push_back("padding behind templates");
  }

  void read_records(std::uint16_t id, const Layout& layout, std::span<const std::uint8_t> body, Message& message) {
    std::size_t shortest = 0;
    for (const Spec& spec : layout.fields) shortest += spec.length == 65535 ? 1 : spec.length;
    std::size_t at = 0;
    while (body.size() - at >= shortest) {
      Record record{id, layout.scope_fields, {}};
      for (const Spec& spec : layout.fields) {
        std::size_t length = spec.length;
        if (length == 65535) {
          if (at >= body.size()) return faults.push_back("record cut off");
          length = body[at++];
        }
        if (length > body.size() - at) return faults.push_back("record cut off");
        const auto value = body.subspan(at, length);
        record.fields.push_back({spec.pen, spec.id, {value.begin(), value.end()}});
        at += length;
      }
      message.records.push_back(std::move(record));
    }
    for (; at != body.size(); ++at) {
      if (body[at] != 0) faults.push_back("padding that is not zero");
    }
  }

  std::map<std::uint16_t, Layout> templates_;
  bool started_ = false;
  std::uint32_t expected_ = 0;
};

}  // namespace ipfix_reader
