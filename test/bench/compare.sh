#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CPU per packet on capture files, beside a bare libpcap loop, softflowd and nfpcapd on the same files.
#   compare.sh PROGRAM TOOLS [PACKETS [RUNS]]
# TOOLS is a folder with sources and a Makefile that give bin/pcapgen (workloads few, many, tcp), bin/walk_pcap (the
# loop) and bin/udpsink (drains a port).  Prints a Markdown table: nanoseconds of user and system time per packet,
# median of RUNS (3), and its spread.  Everybody exports to a port of the loopback interface, if possible a private one.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '3,8s/^# //p' "$0"; exit 2; fi
if [ -z "${CHOMPY_BENCH:-}" ] && unshare --net true 2> /dev/null; then
  exec env CHOMPY_BENCH=1 unshare --net "$0" "$@"
fi
if [ -n "${CHOMPY_BENCH:-}" ]; then ip link set lo up; fi
program="$(realpath "$1")" tools="$(realpath "$2")" packets="${3:-5000000}" runs="${4:-3}"
work="$(mktemp -d)"
sink=
finish() {
  if [ -n "$sink" ]; then kill "$sink" 2> /dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
cp -r "$tools" "$work/tools"
make -s -C "$work/tools" bin/pcapgen bin/walk_pcap bin/udpsink 1>&2
bin="$work/tools/bin"
"$bin/udpsink" 2055 3600 > /dev/null & sink=$!

# Prints "median min max" of nanoseconds of CPU per packet; the command and all that it waited for count.
cost() {
  local count="$1" run; shift
  for ((run = 0; run < runs; run++)); do
    rm -rf "$work/out"; mkdir "$work/out"
    TIMEFORMAT='%U %S'
    if ! { time timeout 120 "$@" > /dev/null 2> "$work/err"; } 2> "$work/time"; then
      echo "failed: $*: $(tail -n 1 "$work/err")" 1>&2
      return
    fi
    awk -v n="$count" '{ printf "%.1f\n", ($1 + $2) * 1e9 / n }' "$work/time"
  done | sort -g | awk '{ v[NR] = $1 } END { if (NR == 0) print "- - -"; else print v[int((NR + 1) / 2)], v[1], v[NR] }'
}

declare -A cell
for load in few many tcp; do
  file="$work/$load.pcap"
  # few: 1000 flows, all in the cache; many: ten packets a flow in random order; tcp: whole connections.
  case $load in
    few) size=(--packets "$packets" --flows 1000) ;;
    many) size=(--packets "$packets" --flows $((packets / 10))) ;;
    tcp) size=(--packets "$packets" --flows $((packets / 25))) ;;
  esac
  count="$("$bin/pcapgen" "$load" "$file" "${size[@]}" | sed -n 's/.*packets=\([0-9]*\).*/\1/p')"
  cat "$file" > /dev/null
  cell[ours,$load]="$(cost "$count" "$program" --read "$file" -collector 127.0.0.1:2055 --set flow.max_flows=1500000)"
  cell[loop,$load]="$(cost "$count" "$bin/walk_pcap" "$file")"
  if command -v softflowd > /dev/null; then
    cell[softflowd,$load]="$(cost "$count" softflowd -d -r "$file" -n 127.0.0.1:2055 -v 10 -b -6 -m 8000000 -c none)"
  fi
  if command -v nfpcapd > /dev/null; then
    cell[nfpcapd,$load]="$(cost "$count" nfpcapd -r "$file" -w "$work/out" -e 300,60 -B 524288)"
  fi
  rm -f "$file"
done

show() { # median (spread)
  local median low high
  read -r median low high <<< "${cell[$1]:-- - -}"
  if [ "$median" = - ]; then printf '%s' '-'; else printf '%s (%s-%s)' "$median" "$low" "$high"; fi
}
echo "ns of CPU per packet, $packets packets, median of $runs (least-most):"
echo
echo "| | few | many | tcp |"
echo "| --- | --- | --- | --- |"
for row in "ours:chompy-probe, TCP fields, IPFIX over UDP" "loop:libpcap, reading alone" \
    "softflowd:softflowd, IPFIX over UDP" "nfpcapd:nfpcapd, to a file"; do
  echo "| ${row#*:} | $(show "${row%%:*},few") | $(show "${row%%:*},many") | $(show "${row%%:*},tcp") |"
done
