// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/syn_cache.hpp"

#include <algorithm>

#include "whiteowl/tcp/rules.hpp"

namespace whiteowl {

namespace {
constexpr std::uint8_t kRepeated = 1, kStampFirst = 2, kStampLast = 4;
constexpr int kExpiredPerInsert = 2;
constexpr std::uint32_t kFetchedAhead = 8;
}  // namespace

SynCache::SynCache(std::uint32_t capacity, Duration time_to_live, TcpCounters& counters, Prefault prefault)
    : entries_{capacity, prefault, Access::in_order},
      index_{capacity, prefault},
      time_to_live_us_{TcpRules::bounded(time_to_live)},
      counters_{counters} {}

std::size_t SynCache::memory_octets() const noexcept { return entries_.octets() + index_.octets(); }

std::int64_t SynCache::age(const Entry& entry, std::int64_t now_us) const noexcept {
  constexpr unsigned kUnusedBits = 64 - 40;
  const std::uint64_t last = (std::uint64_t{entry.last_era} << 32U) | entry.last_us;
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(now_us) - last) << kUnusedBits) >> kUnusedBits;
}

std::int64_t SynCache::first_age(const Entry& entry, std::int64_t now_us) const noexcept {
  return age(entry, now_us) + static_cast<std::int32_t>(entry.last_us - entry.first_us);
}

SynCache::Place SynCache::place_of(std::uint64_t key) const noexcept {
  return index_.find(key, [this, key](Place place) { return entries_[place].key == key; });
}

void SynCache::link_youngest(Place place) noexcept {
  entries_[place].older = youngest_;
  entries_[place].younger = kNowhere;
  (youngest_ == kNowhere ? oldest_ : entries_[youngest_].younger) = place;
  youngest_ = place;
}

void SynCache::unlink(Place place) noexcept {
  const Entry& entry = entries_[place];
  (entry.older == kNowhere ? oldest_ : entries_[entry.older].younger) = entry.younger;
  (entry.younger == kNowhere ? youngest_ : entries_[entry.younger].older) = entry.older;
}

void SynCache::remove(Place place) noexcept {
  index_.erase(entries_[place].key, [place](Place found) { return found == place; });
  unlink(place);
  entries_[place].older = unused_;
  unused_ = place;
  --size_;
}

void SynCache::remove_oldest(std::uint32_t count) noexcept {
  Place ahead = oldest_;
  const auto fetch_next = [&] {
    if (ahead == kNowhere) return;
    fetch(entries_[ahead].key);
    ahead = entries_[ahead].younger;
  };
  for (std::uint32_t i = 0; i < kFetchedAhead; ++i) fetch_next();
  for (std::uint32_t i = 0; i < count; ++i) {
    fetch_next();
    remove(oldest_);
  }
}

void SynCache::remove_oldest_in_the_way(std::uint64_t key) noexcept {
  Place oldest = kNowhere;
  index_.for_each_in_the_way(key, [&](Place place) {
    const auto younger = [&] { return static_cast<std::int32_t>(entries_[place].last_us - entries_[oldest].last_us); };
    if (oldest == kNowhere || younger() < 0) oldest = place;
  });
  remove(oldest);
}

void SynCache::make_room(std::int64_t now_us) noexcept {
  for (int i = 0; i < kExpiredPerInsert && oldest_ != kNowhere && age(entries_[oldest_], now_us) > time_to_live_us_;
       ++i) {
    remove(oldest_);
    counters_.syn_cache_expired.add();
  }
}

std::uint16_t SynCache::insert(std::uint64_t key, const Segment& syn) noexcept {
  const auto payload = static_cast<std::uint16_t>(std::min<std::uint32_t>(syn.payload, 0xFFFF));
  if (capacity() == 0) return payload;
  counters_.syn_cache_inserts.add();
  make_room(syn.time_us);
  Place place = place_of(key);
  const bool known = place != kNowhere;
  const bool repeated =
      known && entries_[place].isn == syn.seq && first_age(entries_[place], syn.time_us) <= time_to_live_us_;
  if (known) {
    unlink(place);
  } else {
    if (size_ == capacity()) {
      const std::uint32_t tenth = std::max<std::uint32_t>(1, capacity() / 10);
      remove_oldest(tenth);
      counters_.syn_cache_evicted.add(tenth);
    }
    if (unused_ != kNowhere) {
      place = unused_;
      unused_ = entries_[place].older;
    } else {
      place = fresh_++;
    }
    for (; !index_.has_room(key); counters_.syn_cache_evicted.add()) remove_oldest_in_the_way(key);
    index_.insert(key, place);
    ++size_;
  }
  link_youngest(place);
  Entry& entry = entries_[place];
  entry.last_us = static_cast<std::uint32_t>(syn.time_us);
  entry.last_era = static_cast<std::uint8_t>(static_cast<std::uint64_t>(syn.time_us) >> 32U);
  entry.ts_last = syn.ts_value;
  const std::uint8_t stamp_last = syn.has_timestamps ? kStampLast : 0;
  if (repeated) {
    entry.flags = static_cast<std::uint8_t>(kRepeated | (entry.flags & kStampFirst) | stamp_last);
    return entry.payload;
  }
  entry.key = key;
  entry.isn = syn.seq;
  entry.first_us = entry.last_us;
  entry.ts_first = syn.ts_value;
  entry.payload = payload;
  entry.flags = static_cast<std::uint8_t>(syn.has_timestamps ? kStampFirst | stamp_last : 0);
  return payload;
}

std::optional<std::int64_t> SynCache::answer(std::uint64_t key, const Segment& syn_ack) noexcept {
  const Place place = place_of(key);
  std::optional<std::int64_t> round_trip;
  if (place != kNowhere) {
    const Entry& entry = entries_[place];
    const std::int32_t acknowledged = syn_ack.ack - entry.isn;
    const std::int64_t last = age(entry, syn_ack.time_us);
    const std::int64_t first = first_age(entry, syn_ack.time_us);
    if (acknowledged >= 1 && acknowledged <= 1 + entry.payload && last <= time_to_live_us_) {
      const bool first_stamped = (entry.flags & kStampFirst) != 0;
      const bool last_stamped = (entry.flags & kStampLast) != 0;
      const bool differ = first_stamped != last_stamped || entry.ts_first != entry.ts_last;
      if ((entry.flags & kRepeated) == 0) {
        round_trip = first;
      } else if (syn_ack.has_timestamps && differ) {
        if (first_stamped && syn_ack.ts_echo == entry.ts_first) {
          round_trip = first;
        } else if (last_stamped && syn_ack.ts_echo == entry.ts_last) {
          round_trip = last;
        }
      }
      if (round_trip && *round_trip > time_to_live_us_) round_trip.reset();
    }
  }
  if (round_trip) {
    remove(place);
    counters_.syn_cache_hits.add();
  } else {
    counters_.syn_cache_misses.add();
  }
  return round_trip;
}

std::optional<SynCache::Syn> SynCache::find(std::uint64_t key, SeqNum isn, std::int64_t now_us) const noexcept {
  const Place place = place_of(key);
  if (place == kNowhere) return std::nullopt;
  const Entry& entry = entries_[place];
  if (!(entry.isn == isn) || age(entry, now_us) > time_to_live_us_) return std::nullopt;
  return Syn{first_age(entry, now_us), (entry.flags & kRepeated) != 0, (entry.flags & kStampLast) != 0, entry.ts_last,
             entry.payload};
}

}  // namespace whiteowl
