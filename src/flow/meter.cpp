// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/flow/meter.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "whiteowl/flow/eviction.hpp"
#include "whiteowl/flow/expiry.hpp"
#include "whiteowl/flow/key.hpp"
#include "whiteowl/flow/table.hpp"

namespace whiteowl {

namespace {

// How many entries an eviction looks at: enough to find one that is worth little, few enough for the packet path.
constexpr std::uint32_t kEvictionLooks = 64;
// How many active ones at the front of a list get another turn with each conversation that begins while the table has
// less than one part in kNearlyFull left: so that, by the time it is full, idle ones stand at the front.
constexpr std::uint32_t kTurnsAhead = 4, kNearlyFull = 8;

// How many packets ahead of the one in hand entries are fetched: far enough for a miss, few enough to stay in the
// nearest cache (a TCP packet fetches eight lines).
constexpr std::size_t kFetchedAhead = 12;

constexpr std::uint32_t share_of(std::uint32_t total, std::uint32_t workers) noexcept {
  return (total + workers - 1) / workers;
}

// Of Flow::due.
constexpr std::uint64_t kFlowDueMask = (std::uint64_t{1} << 40U) - 1;
constexpr std::uint64_t flow_due(Duration age) noexcept { return static_cast<std::uint64_t>(age.count()) >> 24U; }

// The age at which an open record must be exported, and why: whichever timeout is reached first.  A pure function of
// the record, so that it does not matter when somebody looks.
struct Deadline {
  Duration at;
  FlowEndReason reason;
};

}  // namespace

struct Meter::Impl {
  Impl(const FlowSettings& flow_settings, const TcpSettings& tcp_options, const DecodeSettings& decode_settings,
       const HashKey& key, std::uint32_t workers, RecordSink& record_sink)
      : settings{flow_settings},
        tcp_settings{tcp_options},
        sink{record_sink},
        hash_key{key},
        classifier{decode_settings, flow_settings.vlan_in_key, key},
        most_answered{share_of(flow_settings.max_flows, workers)},
        capacity{most_answered + share_of(flow_settings.unanswered_room, workers)},
        tcp{tcp_options, workers, tcp_options.track ? capacity : 0U, flow_settings.prefault,
            fold(key.words[0], key.words[1])},
        table{capacity, flow_settings.prefault},
        wheel{table.capacity(), flow_settings.prefault},
        closed{table.capacity(), flow_settings.prefault},
        links{table.capacity(), flow_settings.prefault, Access::in_order} {}

  FlowSettings settings;
  TcpSettings tcp_settings;
  RecordSink& sink;
  HashKey hash_key;
  Classifier classifier;
  ClassifiedBatch classified;
  std::uint32_t most_answered;
  std::uint32_t capacity;
  TcpMeter tcp;
  FlowTable table;
  ExpiryWheel wheel;
  IndexQueue<ClosedItem> closed;
  EvictionList::Links links;
  EvictionList unanswered{links}, answered{links};
  std::uint32_t answered_count = 0;
  std::array<std::uint32_t, FrameBatch::kCapacity> answers{};  // entries that have to change the list
  std::size_t answers_noted = 0;
  MeterCounters counters;
  Duration age{};  // behind the last batch
  std::array<FlowTable::Candidate, FrameBatch::kCapacity>
      candidates{};  // of those packets of the batch that were fetched
  std::uint64_t packets_in_table = 0;

  [[nodiscard]] bool metered_tcp(const Flow& flow) const noexcept {
    return tcp_settings.track && flow.key.protocol() == ip_protocol::kTcp;
  }

  // ---- deadlines

  // Of a Biflow both directions share one: idle when both are, and as old as the older record.
  [[nodiscard]] Deadline deadline(std::uint32_t index, const FlowDirection& way) const noexcept {
    Duration seen = way.seen, opened = way.opened;
    if (settings.biflow) {
      seen = last_seen(index);
      for (unsigned direction = 0; direction < 2; ++direction) {
        const FlowDirection& either = table.way(index, direction);
        if (either.packets > 0) opened = std::min(opened, either.opened);
      }
    }
    const Duration idle = seen + settings.inactive_timeout;
    const Duration active = opened + settings.active_timeout;
    return active <= idle ? Deadline{active, FlowEndReason::active_timeout}
                          : Deadline{idle, FlowEndReason::idle_timeout};
  }
  [[nodiscard]] Duration last_seen(std::uint32_t index) const noexcept {
    return std::max(table.way(index, 0).seen, table.way(index, 1).seen);
  }
  // When the whole conversation is over: some time after it closed, or idle on both sides.
  [[nodiscard]] Duration end_of(std::uint32_t index) const noexcept {
    const Duration linger = table.flow(index).closed != 0
                                ? std::min(tcp_settings.close_linger, settings.inactive_timeout)
                                : settings.inactive_timeout;
    return last_seen(index) + linger;
  }
  [[nodiscard]] Duration next_deadline(std::uint32_t index) const noexcept {
    Duration next = end_of(index);
    for (unsigned direction = 0; direction < 2; ++direction) {
      const FlowDirection& way = table.way(index, direction);
      if (way.packets > 0) next = std::min(next, deadline(index, way).at);
    }
    return next;
  }
  // What opens at `now` is due no earlier than this.
  [[nodiscard]] Duration soonest_due(Duration now) const noexcept {
    return now + std::min(settings.inactive_timeout, settings.active_timeout);
  }

  // ---- export

  // Until when the record speaks, by the packets' stamps: a timeout cuts what goes on at its deadline, whoever looks
  // when; other reasons end it with its last packet, or where the capture ends.
  [[nodiscard]] Timestamp cut_of(const FlowDirection& way, FlowEndReason reason, Duration due) const noexcept {
    const bool timeout = reason == FlowEndReason::active_timeout || reason == FlowEndReason::idle_timeout;
    if (timeout) return way.end + (due - way.seen);
    return reason == FlowEndReason::forced_end ? way.end + (age - way.seen) : way.end;
  }
  // `due`: the deadline that a timeout's record had.
  void export_record(std::uint32_t index, unsigned direction, FlowEndReason reason, Duration due = {},
                     bool mate_follows = false) noexcept {
    if (table.way(index, direction).packets == 0) return;
    Flow& flow = table.flow(index);
    FlowDirection& way = table.open_way(index, direction);
    FlowRecord record;
    fill_identity(record, flow, direction);
    const FlowCold& cold = table.cold(index, direction);
    record.packets = way.packets;
    record.octets = way.octets;
    record.start = way.start;
    record.end = way.end;
    record.source_mac = cold.source_mac;
    record.destination_mac = cold.destination_mac;
    record.mpls_label = cold.mpls_label;
    record.vlan_id = way.vlan_id;
    record.customer_vlan_id = way.customer_vlan_id;
    record.tcp_control_bits = way.tcp_flags;
    record.traffic_class = way.traffic_class;
    record.min_ttl = way.min_ttl;
    record.max_ttl = way.max_ttl;
    record.flow_direction = way.outgoing;
    record.tunnel_id = way.tunnel_id;
    record.tunnel_type = way.tunnel_type;
    record.ingress_interface = interface_index(way.interface);
    record.egress_interface = egress_of(way, table.way(index, direction ^ 1U));
    record.end_reason = reason;
    record.mate_follows = mate_follows;
    record.biflow_direction =
        initiator_of(index) == direction ? BiflowDirection::initiator : BiflowDirection::reverse_initiator;
    if (metered_tcp(flow)) tcp.take(flow.tcp, direction, cut_of(way, reason, due), record.tcp, record.tcp_extended);
    note_one_way(index, direction);
    packets_in_table -= way.packets;
    way.packets = 0;
    way.octets = 0;
    way.tcp_flags = 0;
    counters.records.add();
    sink.put(record);
  }

  // Who sends data or acknowledgments on and on was answered.  A handshake repeated in vain, a scan and a reset are not
  // enough: what answers a forged address is one-way by nature.
  void note_one_way(std::uint32_t index, unsigned direction) noexcept {
    constexpr std::uint64_t kOnAndOn = 4;  // packets in one record
    Flow& flow = table.flow(index);
    const FlowDirection& way = table.way(index, direction);
    if (flow.key.protocol() != ip_protocol::kTcp || flow.one_way != 0 || table.way(index, direction ^ 1U).ever != 0)
      return;
    const unsigned flags = way.tcp_flags;
    const bool goes_on = (flags & tcp_flag::kSyn) == 0 || (flags & (tcp_flag::kPsh | tcp_flag::kFin)) != 0;
    if (way.packets < kOnAndOn || (flags & tcp_flag::kAck) == 0 || (flags & tcp_flag::kRst) != 0 || !goes_on) return;
    flow.one_way = 1;
    counters.conversations_one_way.add();
  }
  static void fill_identity(FlowRecord& record, const Flow& flow, unsigned direction) noexcept {
    const FlowKey& key = flow.key;
    const auto* low = reinterpret_cast<const std::uint8_t*>(key.low);
    const auto* high = reinterpret_cast<const std::uint8_t*>(key.high);
    std::memcpy(record.source_address.octets.data(), direction == 0 ? low : high, 16);
    std::memcpy(record.destination_address.octets.data(), direction == 0 ? high : low, 16);
    record.source_port = direction == 0 ? key.low_port() : key.high_port();
    record.destination_port = direction == 0 ? key.high_port() : key.low_port();
    record.protocol = key.protocol();
    record.ip_version = key.ip_version();
    // The same conversation has the same id on any worker, in any process: a fixed hash of what it is and when it
    // began.
    const auto born = static_cast<std::uint64_t>(flow.born.time_since_epoch().count());
    record.flow_id = (fold(key.identity(), born ^ 0x082EFA98EC4E6C89U) & ~std::uint64_t{1}) | direction;
  }
  [[nodiscard]] std::uint32_t interface_index(std::uint8_t interface) const noexcept {
    const auto& indexes = settings.interface_index;
    if (indexes.empty()) return 0;
    return indexes[std::min<std::size_t>(interface, indexes.size() - 1)];
  }
  // What this host sends leaves by the interface that saw it.  What passes two interfaces, such as the legs of a tap,
  // leaves by the one on which its answers come in.
  [[nodiscard]] std::uint32_t egress_of(const FlowDirection& way, const FlowDirection& other) const noexcept {
    if (way.outgoing != 0) return interface_index(way.interface);
    if (other.ever != 0 && other.outgoing == 0 && other.interface != way.interface)
      return interface_index(other.interface);
    return 0;
  }
  // Asked for a record: the answer stays the same for all records of the conversation.
  [[nodiscard]] unsigned initiator_of(std::uint32_t index) noexcept {
    Flow& flow = table.flow(index);
    const unsigned client = flow.tcp.client;
    if (flow.told == 0 && client != 0) flow.initiator = (client - 1U) & 1U;
    flow.told = 1;
    return flow.initiator;
  }

  void export_both(std::uint32_t index, FlowEndReason reason, Duration due = {}) noexcept {
    const bool pair = settings.biflow && table.way(index, 0).packets > 0 && table.way(index, 1).packets > 0;
    const unsigned front = pair ? initiator_of(index) : 0U;
    export_record(index, front, reason, due, pair);
    export_record(index, front ^ 1U, reason, due);
  }
  // Exports what is due at `now`; true when the conversation is over, and then nothing of it is left to export.
  bool export_due(std::uint32_t index, Duration now) noexcept {
    Flow& flow = table.flow(index);
    const Duration end = end_of(index);
    for (unsigned direction = 0; direction < 2; ++direction) {
      const FlowDirection& way = table.way(index, direction);
      if (way.packets == 0) continue;
      const Deadline due = deadline(index, way);
      const bool closing = flow.closed != 0 && end <= due.at;
      if ((closing ? end : due.at) > now) continue;
      const FlowEndReason reason = closing ? FlowEndReason::end_of_flow : due.reason;
      if (settings.biflow)
        export_both(index, reason, due.at);
      else
        export_record(index, direction, reason, due.at);
    }
    return end <= now;
  }

  // ---- the end of a conversation

  void remove(std::uint32_t index) noexcept {
    leave_list(index);
    table.erase(index, table.flow(index).key.hash(hash_key));
  }
  // The conversation may be removed once its records are made: until then its place in the index has been fetched.
  void fetch_removal(std::uint32_t index) const noexcept {
    table.prefetch_bucket(table.flow(index).key.hash(hash_key));
  }
  void look(std::uint32_t index, Duration now) noexcept {
    Flow& flow = table.flow(index);
    if (flow.in_use == 0) return;
    fetch_removal(index);
    EvictionList::fetch_neighbours(links, index);
    if (export_due(index, now)) return remove(index);
    const Duration next = next_deadline(index);
    flow.due = flow_due(next) & kFlowDueMask;
    // A record that opens after this look is due no earlier than one active timeout from now.
    wheel.schedule(index, std::min(next, now + settings.active_timeout));
  }
  void advance(Duration now) noexcept {
    wheel.advance(
        now, [this, now](std::uint32_t index) { look(index, now); },
        [this](std::uint32_t index) {
          table.fetch_all(index);
          EvictionList::fetch(links, index);
        });
    while (const auto* item = closed.front()) {
      if (item->is_ahead_of(now)) break;
      const auto index = static_cast<std::uint32_t>(item->index);
      if (const auto* later = closed.later(kFetchedAhead); later != nullptr) {
        const auto ahead = static_cast<std::uint32_t>(later->index);
        table.fetch_all(ahead);
        EvictionList::fetch(links, ahead);
        if (tcp_settings.track) tcp.fetch_all(ahead + 1);
      }
      closed.pop();
      Flow& flow = table.flow(index);
      flow.in_closed = 0;
      if (flow.in_use == 0 || flow.closed == 0) continue;
      fetch_removal(index);
      EvictionList::fetch_neighbours(links, index);
      if (export_due(index, now))
        remove(index);
      else
        queue_closed(index);
    }
  }
  void queue_closed(std::uint32_t index) noexcept {
    Flow& flow = table.flow(index);
    if (flow.in_closed != 0) return;
    flow.in_closed = 1;
    closed.push(ClosedItem::at(index, end_of(index)));
  }

  // ---- a full table

  void leave_list(std::uint32_t index) noexcept {
    const bool was_answered = table.flow(index).unanswered == 0;
    (was_answered ? answered : unanswered).remove(index);
    if (was_answered) --answered_count;
  }
  void begin_unanswered(std::uint32_t index, Duration now) noexcept {
    table.flow(index).unanswered = 1;
    unanswered.append(index, now);
  }
  [[nodiscard]] bool has_answer(std::uint32_t index) const noexcept {
    const Flow& flow = table.flow(index);
    return table.way(index, 0).ever != 0 && table.way(index, 1).ever != 0 &&
           (!metered_tcp(flow) || is_open(flow.tcp.state));
  }
  // Requires: the conversation stands among the unanswered.  It stays there until the batch is over, or somebody has to
  // leave: meanwhile its links come from the memory.
  void note_answer(const ClassifiedPacket& item, std::uint32_t index) noexcept {
    const bool syn = item.packet.tcp != nullptr && (item.packet.tcp->flags() & tcp_flag::kSyn) != 0;
    if (!has_answer(index) || (syn && !tcp_settings.track)) return;
    if (answers_noted == answers.size()) move_answered(item.age);
    if (answers_noted == answers.size()) return;  // asked again when its next record opens
    answers[answers_noted++] = index;
    EvictionList::fetch(links, index);
  }
  // Where the answered are as many as there may be and nobody idle is found among those that are looked at, newcomers
  // wait: an active conversation does not leave for them.
  void move_answered(Duration now) noexcept {
    const std::size_t noted = std::exchange(answers_noted, 0);
    bool has_room = true;
    for (std::size_t i = 0; i < noted; ++i) EvictionList::fetch_neighbours(links, answers[i]);
    for (std::size_t i = 0; i < noted; ++i) {
      const std::uint32_t index = answers[i];
      Flow& flow = table.flow(index);
      // Noted twice, or removed since; the entry may have a new owner.
      if (flow.in_use == 0 || flow.unanswered == 0 || !has_answer(index)) continue;
      if (answered_count == most_answered) {
        if (has_room) {
          const std::uint32_t idle = first_idle(answered, now).idle;
          has_room = idle != FlowTable::kNone;
          if (has_room) evict(idle, counters.evictions);
        }
        if (!has_room) {
          answers[answers_noted++] = index;
          continue;
        }
      }
      leave_list(index);
      flow.unanswered = 0;
      answered.append(index, now);
      ++answered_count;
    }
  }
  void evict(std::uint32_t index, Counter& counter) noexcept {
    export_both(index, FlowEndReason::lack_of_resources);
    counter.add();
    remove(index);
    // It may come back into this entry before the batch is over, the other way round.
    for (FlowTable::Candidate& candidate : candidates)
      if (candidate.flow == &table.flow(index)) candidate.flow = nullptr;
  }
  [[nodiscard]] bool deserves_another_turn(const EvictionList& list, std::uint32_t index) const noexcept {
    return table.flow(index).closed == 0 && list.active_since_placed(index, last_seen(index));
  }
  struct Found {
    std::uint32_t idle = FlowTable::kNone;   // the first of the list that was idle since it was placed there
    std::uint32_t least = FlowTable::kNone;  // the longest idle of those before it
  };
  // Looks at kEvictionLooks at most; who was active goes to the back.
  [[nodiscard]] Found first_idle(EvictionList& list, Duration now) noexcept {
    Found found;
    for (std::uint32_t looks = 0; looks < kEvictionLooks; ++looks) {
      const std::uint32_t index = list.front();
      if (index == EvictionList::kNone) break;
      fetch_next_victims(list);
      if (!deserves_another_turn(list, index)) {
        found.idle = index;
        break;
      }
      if (found.least == FlowTable::kNone || last_seen(index) < last_seen(found.least)) found.least = index;
      list.remove(index);
      list.append(index, now);
    }
    return found;
  }
  // None: the list is empty.
  [[nodiscard]] std::uint32_t least_active(EvictionList& list, Duration now) noexcept {
    const Found found = first_idle(list, now);
    return found.idle != FlowTable::kNone ? found.idle : found.least;
  }
  // Who goes next has not been looked at for as long as the table is large: first its entry is fetched, then, with the
  // key in it, its place in the index.
  void fetch_next_victims(const EvictionList& list) const noexcept {
    if (const auto sooner = list.later(kFetchedAhead / 2); sooner != EvictionList::kNone) fetch_removal(sooner);
    if (const auto later = list.later(kFetchedAhead); later != EvictionList::kNone) table.fetch_entry(later);
  }
  void turn_ahead(EvictionList& list, Duration now) noexcept {
    for (std::uint32_t turns = 0; turns < kTurnsAhead; ++turns) {
      const std::uint32_t index = list.front();
      if (index == EvictionList::kNone || !deserves_another_turn(list, index)) return;
      list.remove(index);
      list.append(index, now);
    }
  }
  // The longest unanswered goes first, else the longest idle.
  void make_room(Duration now) noexcept {
    const std::uint32_t before = table.size();
    move_answered(now);
    advance(now);
    if (table.size() != before) candidates.fill({});  // as in evict(), of whoever was removed
    if (!table.full()) return;
    if (const std::uint32_t index = least_active(unanswered, now); index != FlowTable::kNone)
      return evict(index, counters.evictions_half_open);
    evict(least_active(answered, now), counters.evictions);
  }
  // The index has no room for this hash, which chance alone does not bring about: of those in the way, an unanswered
  // one goes, else the longest idle.
  [[gnu::noinline]] void clear_the_way(std::uint64_t hash) noexcept {
    std::uint32_t victim = FlowTable::kNone;
    table.for_each_in_the_way(hash, [&](std::uint32_t index) {
      const auto worth = [this](std::uint32_t of) { return std::pair{table.flow(of).unanswered == 0, last_seen(of)}; };
      if (victim == FlowTable::kNone || worth(index) < worth(victim)) victim = index;
    });
    evict(victim, counters.evictions_crowded);
  }

  // ---- a packet

  std::uint32_t begin_conversation(const ClassifiedPacket& item, Duration now) noexcept {
    if (table.capacity() - table.size() < table.capacity() / kNearlyFull) turn_ahead(unanswered, now);
    if (most_answered - answered_count < most_answered / kNearlyFull) turn_ahead(answered, now);
    if (table.full()) make_room(now);
    while (!table.has_room(item.hash)) [[unlikely]] clear_the_way(item.hash);
    const std::uint32_t index = table.insert(item.key, item.hash, item.direction);
    renew(index, item);
    begin_unanswered(index, now);
    if (!wheel.is_scheduled(index)) wheel.schedule(index, soonest_due(now));
    return index;
  }
  void renew(std::uint32_t index, const ClassifiedPacket& item) noexcept {
    Flow& flow = table.flow(index);
    flow.born = item.packet.frame->time;
    flow.due = flow_due(soonest_due(item.age)) & kFlowDueMask;
    flow.initiator = item.direction & 1U;
    flow.told = 0;
    flow.closed = 0;
    flow.one_way = 0;
    flow.fins = 0;
    flow.tcp.place = index + 1;  // the meter's arena has a place for each entry
    counters.conversations_total.add();
  }
  // Nothing of the conversation is due before a packet at `now`.
  [[nodiscard]] static bool is_settled(const Flow& flow, Duration now) noexcept {
    return all(flow_due(now) < flow.due, flow.closed == 0);
  }
  // The packet's conversation, with nothing left in it that was due before the packet.
  [[gnu::noinline]] std::uint32_t settle(const ClassifiedPacket& item, FlowTable::Candidate candidate) noexcept {
    const Duration now = item.age;
    const std::uint32_t index = FlowTable::is(candidate, item.key) ? candidate.index : table.find(item.key, item.hash);
    if (index == FlowTable::kNone) return begin_conversation(item, now);
    Flow& flow = table.flow(index);
    if (is_settled(flow, now)) return index;
    if (export_due(index, now)) {
      flow.tcp = {};
      table.forget_ways(index);
      begin_anew(index, item);
    } else {
      flow.due = flow_due(next_deadline(index)) & kFlowDueMask;
    }
    return index;
  }
  [[gnu::noinline]] void observe_tcp(const ClassifiedPacket& item, std::uint32_t index, Flow& flow) noexcept {
    if (!tcp_settings.track) return observe_flags(item, index, flow);
    if (item.packet.fragment) return tcp.observe_fragment(flow.tcp, item.direction);
    if (item.packet.tcp == nullptr) return;
    if (const TcpVerdict verdict = tcp.observe(flow.tcp, item.direction, item.packet, item.hash);
        verdict >= TcpVerdict::opened) [[unlikely]]
      heed(verdict, item, index);
    note_closed(flow, flow.tcp.state == TcpState::closed);
  }
  [[gnu::noinline]] void heed(TcpVerdict verdict, const ClassifiedPacket& item, std::uint32_t index) noexcept {
    if (verdict == TcpVerdict::opened) {
      if (table.flow(index).unanswered != 0) note_answer(item, index);
      return;
    }
    export_both(index, FlowEndReason::end_of_flow);
    begin_anew(index, item);
    tcp.restart(table.flow(index).tcp, item.direction, item.packet, item.hash);
  }
  // Another conversation takes over the entry.
  void begin_anew(std::uint32_t index, const ClassifiedPacket& item) noexcept {
    renew(index, item);
    leave_list(index);
    begin_unanswered(index, item.age);
  }
  // Without TCP metering a connection is closed by a reset, or when a FIN of each side has passed.
  void observe_flags(const ClassifiedPacket& item, std::uint32_t index, Flow& flow) noexcept {
    if (item.packet.tcp == nullptr || item.packet.fragment) return;
    if (flow.unanswered != 0) note_answer(item, index);
    const std::uint16_t flags = item.packet.tcp->flags();
    if ((flags & tcp_flag::kFin) != 0) flow.fins = (flow.fins | 1U << item.direction) & 3U;
    note_closed(flow, flow.fins == 3 || (flags & tcp_flag::kRst) != 0);
  }
  static void note_closed(Flow& flow, bool is_closed) noexcept {
    if (is_closed) flow.closed = 1;
  }

  // Inline, what is rare is not: the packet of a flow that is there asks for no more registers than the loop has.
  [[gnu::always_inline]] void update(const ClassifiedPacket& item, FlowTable::Candidate candidate) noexcept {
    const Packet& packet = item.packet;
    const Duration now = item.age;
    if (!FlowTable::is(candidate, item.key) || !is_settled(*candidate.flow, now)) [[unlikely]] {
      const std::uint32_t index = settle(item, candidate);
      candidate = {&table.flow(index), &table.open_way(index, item.direction), index};
    }
    Flow& flow = *candidate.flow;
    FlowDirection& way = *candidate.way;
    const bool is_tcp = packet.protocol == ip_protocol::kTcp;
    if (is_tcp) observe_tcp(item, candidate.index, flow);
    if (way.packets == 0) [[unlikely]]
      open_record(item, candidate.index);
    const Timestamp time = packet.frame->time;
    const std::uint8_t ttl = packet.ttl;
    way.packets += 1;
    way.octets += packet.ip_octets;
    way.start = std::min(way.start, time);
    way.end = std::max(way.end, time);
    way.seen = now;
    way.min_ttl = std::min(way.min_ttl, ttl);
    way.max_ttl = std::max(way.max_ttl, ttl);
    if (!is_tcp) return;
    if (packet.tcp != nullptr) way.tcp_flags |= packet.tcp->flags();
    if (flow.closed != 0) queue_closed(candidate.index);
  }
  [[gnu::noinline]] void open_record(const ClassifiedPacket& item, std::uint32_t index) noexcept {
    const Packet& packet = item.packet;
    const Duration now = item.age;
    Flow& flow = table.flow(index);
    FlowDirection& way = table.open_way(index, item.direction);
    FlowCold& cold = table.cold(index, item.direction);
    flow.due = std::min<std::uint64_t>(flow.due, flow_due(soonest_due(now))) & kFlowDueMask;
    way.start = packet.frame->time;
    way.end = packet.frame->time;
    way.opened = now;
    way.ever = 1;
    way.min_ttl = packet.ttl;
    way.max_ttl = packet.ttl;
    way.traffic_class = packet.traffic_class;
    way.vlan_id = packet.vlan_id;
    way.customer_vlan_id = packet.customer_vlan_id;
    way.interface = packet.frame->interface;
    way.outgoing = packet.frame->outgoing ? 1 : 0;
    way.tunnel_id = packet.tunnel_id;
    way.tunnel_type = packet.tunnel_type;
    cold.source_mac = {};
    cold.destination_mac = {};
    if (packet.source_mac != nullptr) std::memcpy(cold.source_mac.octets.data(), packet.source_mac, 6);
    if (packet.destination_mac != nullptr) std::memcpy(cold.destination_mac.octets.data(), packet.destination_mac, 6);
    cold.mpls_label = packet.mpls_label;
    if (flow.unanswered != 0) note_answer(item, index);
  }

  // ---- a batch, stage by stage

  void publish() noexcept {
    counters.packets_in_table.set(packets_in_table);
    counters.conversations.set(table.size());
  }
  [[gnu::always_inline]] FlowTable::Candidate fetch(const ClassifiedPacket& item) noexcept {
    const FlowTable::Candidate candidate = table.candidate(item.hash, item.direction);
    const bool with_tcp = item.packet.protocol == ip_protocol::kTcp && tcp_settings.track;
    const bool syn = with_tcp && item.packet.tcp != nullptr && (item.packet.tcp->flags() & tcp_flag::kSyn) != 0;
    if (syn) tcp.fetch_syn(item.packet, item.hash);
    if (candidate.flow == nullptr) return candidate;
    FlowTable::fetch(candidate);
    if (syn) FlowTable::fetch_opening(candidate);
    if (with_tcp) tcp.fetch_place(candidate.index + 1, item.direction, item.packet.payload_octets > 0);
    return candidate;
  }
  void update_all(const ClassifiedBatch& batch) noexcept {
    const ClassifiedPacket* ahead = batch.packets.data();
    const ClassifiedPacket* const end = ahead + batch.size;
    FlowTable::Candidate* candidate_ahead = candidates.data();
    std::uint64_t octets = 0;
    while (ahead != batch.packets.data() + std::min(batch.size, kFetchedAhead)) *candidate_ahead++ = fetch(*ahead++);
    const FlowTable::Candidate* candidate = candidates.data();
    for (const ClassifiedPacket* item = batch.packets.data(); item != end; ++item) {
      if (ahead != end) *candidate_ahead++ = fetch(*ahead++);
      update(*item, *candidate++);
      octets += item->packet.ip_octets;
    }
    counters.packets_metered.add(batch.size);
    counters.octets_metered.add(octets);
    packets_in_table += batch.size;
    age = batch.now;
    if (answers_noted != 0) move_answered(age);
    advance(age);
    publish();
  }
};

Meter::Meter(const FlowSettings& flow, const TcpSettings& tcp, const DecodeSettings& decode, std::uint32_t workers,
             RecordSink& sink, const HashKey& key)
    : impl_{std::make_unique<Impl>(flow, tcp, decode, key, workers, sink)} {}
Meter::Meter(Meter&&) noexcept = default;
Meter::~Meter() = default;

void Meter::observe(const FrameBatch& batch) noexcept {
  Impl& self = *impl_;
  self.classifier.classify(batch, self.classified,
                           [&self](const ClassifiedPacket& item) { self.table.prefetch_bucket(item.hash); });
  self.update_all(self.classified);
}

void Meter::observe(const ClassifiedBatch& batch) noexcept {
  for (std::size_t i = 0; i < batch.size; ++i) impl_->table.prefetch_bucket(batch.packets[i].hash);
  impl_->update_all(batch);
}

void Meter::flush(FlowEndReason reason) noexcept {
  Impl& self = *impl_;
  self.advance(self.age);
  for (std::uint32_t index = 0; index < self.table.touched(); ++index) {
    const Flow& flow = self.table.flow(index);
    if (flow.in_use == 0) continue;
    if (!self.export_due(index, self.age))
      self.export_both(index, flow.closed != 0 ? FlowEndReason::end_of_flow : reason);
  }
  self.table.clear();
  self.wheel.clear();
  self.closed.clear();
  self.unanswered.clear();
  self.answered.clear();
  self.answered_count = 0;
  self.answers_noted = 0;
  self.publish();
}

void Meter::set_timeouts(Duration active, Duration inactive, Duration close_linger) noexcept {
  Impl& self = *impl_;
  const bool nearer = active < self.settings.active_timeout || inactive < self.settings.inactive_timeout ||
                      close_linger < self.tcp_settings.close_linger;
  self.settings.active_timeout = active;
  self.settings.inactive_timeout = inactive;
  self.tcp_settings.close_linger = close_linger;
  if (!nearer) return;  // each look that is planned comes early enough
  self.wheel.look_at_all([&self](std::uint32_t index) { self.look(index, self.age); });
  self.publish();
}

const MeterCounters& Meter::counters() const noexcept { return impl_->counters; }
const ClassifierCounters& Meter::classifier_counters() const noexcept { return impl_->classifier.counters(); }
const TcpCounters& Meter::tcp_counters() const noexcept { return impl_->tcp.counters(); }
std::size_t Meter::memory_octets() const noexcept {
  const Impl& self = *impl_;
  return self.table.memory_octets() + self.wheel.memory_octets() + self.closed.memory_octets() + self.links.octets() +
         self.tcp.memory_octets();
}

}  // namespace whiteowl
