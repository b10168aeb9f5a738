#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the TCP figures of captures against tshark, frame by frame, and against tcptrace, flow by flow.

tcp_oracle.py PROBE TOOL DIR KNOWN [CAPTURE...]
DIR holds corpus/ and tcp-vectors/lab_*.pcap; TOOL is tcp_vectors_tool; KNOWN says what differs and why, one a line:
    capture <tab> check <tab> which (frames, or "N times") <tab> cause
Checks:
    frames     the frames that field 4 counts == those that tshark takes for sent again or out of order
    probe      field 4 of the probe's records == the number of these frames of the flow
    handshake  fields 110 and 111 == times between the frames of the handshake, as tshark dissects them
    rexmt      field 4 == tcptrace's retransmitted + out-of-order packets
    rtt_min    field 1 is tcptrace's minimum within max(1 %, 150 us) (and the 100 us that it prints in)
    rtt_avg    field 3 is tcptrace's average within 5 %; within 10 % for less than 30 samples
A frame that repeats another one octet for octet, with its IP identification, within the time that makes it a captured
copy (100 ms; 100 us without an identification) is no difference: field 4 leaves copies out, tshark does not know them.
Every difference that KNOWN does not explain is an error, and so is a line of KNOWN that explains more or fewer.
"""

import collections
import concurrent.futures
import csv
import glob
import ipaddress
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

FIELDS = (
    "frame.number frame.time_epoch frame.protocols ip.src ipv6.src tcp.srcport ip.dst ipv6.dst tcp.dstport ip.id "
    "tcp.seq tcp.ack tcp.flags tcp.window_size_value tcp.len tcp.options "
    "tcp.analysis.retransmission tcp.analysis.out_of_order ip.fragment"
).split()
# TCP right above the first IP header: the probe counts the outer level.
OUTER = re.compile(r"^(eth|sll|sll2|raw|null|ppp|fddi:llc|vlan|ethertype|:)*:(ip|ipv6):tcp(:|$)")
SYN, ACK, FIN, RST = 2, 16, 1, 4
LINK_RAW = 101
# Octets before the IP header, and where the EtherType stands in them, of link types that are not Ethernet.
COOKED = {0: 4, 9: 4, 12: 0, 14: 0, 101: 0, 113: 16, 276: 20}


def run(command, folder, **more):
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": folder, "TZ": "UTC"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **more)


# ---- the capture in the one form that the tool and tcptrace read; frames keep their numbers


def normalise(path, folder):
    """A little-endian pcap of Ethernet, or of IP alone; None where that cannot be made."""
    plain = os.path.join(folder, "plain.pcap")
    if run(["editcap", "-F", "pcap", path, plain], folder).returncode != 0:
        return None
    with open(plain, "rb") as file:
        data = file.read()
    magic = data[:4]
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    per_us = 1000 if magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    if link != 1 and link not in COOKED:
        return None
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1 if link == 1 else LINK_RAW)]
    at = 24
    while at + 16 <= len(data):
        seconds, part, captured, wire = struct.unpack(order + "IIII", data[at : at + 16])
        frame, at = data[at + 16 : at + 16 + captured], at + 16 + captured
        cut = 0 if link == 1 else COOKED[link]
        frame = frame[cut:] or b"\0"
        out.append(struct.pack("<IIII", seconds, part // per_us, len(frame), max(len(frame), wire - cut)) + frame)
    with open(plain, "wb") as file:
        file.write(b"".join(out))
    return plain


# ---- what tshark says


def dissect(path, folder):
    """Every TCP segment at the outer level, as a dictionary."""
    command = ["tshark", "-r", path, "-Y", "tcp", "-T", "fields", "-E", "occurrence=f"]
    for option in ("tcp.relative_sequence_numbers", "tcp.desegment_tcp_streams", "ip.defragment"):
        command += ["-o", option + ":false"]
    for field in FIELDS:
        command += ["-e", field]
    segments = []
    for line in run(command, folder).stdout.splitlines():
        s = dict(zip(FIELDS, line.split("\t")))
        if not OUTER.match(s["frame.protocols"]) or not s["tcp.window_size_value"]:
            continue
        seconds, _, part = s["frame.time_epoch"].partition(".")
        segments.append(
            {
                "frame": int(s["frame.number"]),
                "ns": int(seconds) * 10**9 + int(part.ljust(9, "0")),
                "from": (s["ip.src"] or s["ipv6.src"], int(s["tcp.srcport"])),
                "to": (s["ip.dst"] or s["ipv6.dst"], int(s["tcp.dstport"])),
                "id": int(s["ip.id"] or "0", 0),
                "seq": int(s["tcp.seq"]),
                "ack": int(s["tcp.ack"] or 0),
                "flags": int(s["tcp.flags"], 0) & 0xFF,
                "window": s["tcp.window_size_value"],
                "length": int(s["tcp.len"] or 0),
                "options": s["tcp.options"],
                "again": bool(s["tcp.analysis.retransmission"] or s["tcp.analysis.out_of_order"]),
            }
        )
    return segments


def flow(segment):
    return (*segment["from"], *segment["to"])


def pair(segment):
    return frozenset((segment["from"], segment["to"]))


def copies(segments):
    """Frames that are the same as one shortly before."""
    seen, found = {}, set()
    for s in segments:
        alike = (flow(s), s["id"], s["seq"], s["ack"], s["flags"], s["window"], s["length"], s["options"])
        # Without an identification two equal acknowledgments are two acknowledgments.
        takes_space = s["length"] > 0 or s["flags"] & (SYN | FIN)
        limit = 100_000_000 if s["id"] else 100_000 if takes_space else -1
        if alike in seen and s["ns"] - seen[alike] <= limit:
            found.add(s["frame"])
        seen[alike] = s["ns"]
    return found


def handshakes(segments):
    """flow -> its half in us, and the whole, of handshakes without a repeat, by the first connection of the tuple."""
    halves, wholes = {}, {}
    by_pair = collections.defaultdict(list)
    for s in segments:
        by_pair[pair(s)].append(s)
    for all_of_pair in by_pair.values():
        syns = [s for s in all_of_pair if s["flags"] & (SYN | ACK) == SYN]
        answers = [s for s in all_of_pair if s["flags"] & (SYN | ACK) == SYN | ACK]
        if len(syns) != 1 or len(answers) != 1 or answers[0]["ns"] < syns[0]["ns"] or syns[0] is not all_of_pair[0]:
            continue
        syn, answer = syns[0], answers[0]
        if (answer["ack"] - syn["seq"] - 1) % 2**32 > syn["length"]:
            continue
        halves[flow(syn)] = (answer["ns"] - syn["ns"]) / 1000
        expected = (answer["seq"] + 1) % 2**32
        for s in all_of_pair:
            if s["frame"] > answer["frame"] and s["from"] == syn["from"]:
                if s["flags"] & ACK and s["ack"] == expected and not s["flags"] & RST:
                    halves[flow(answer)] = (s["ns"] - answer["ns"]) / 1000
                    wholes[flow(syn)] = wholes[flow(answer)] = (s["ns"] - syn["ns"]) / 1000
                break
    return halves, wholes


# ---- what tcptrace says


def number(text):
    try:
        return float(text)
    except ValueError:
        return 0.0


def address(text):
    # ::1 is :0001 in tcptrace's words.
    return str(ipaddress.ip_address(re.sub("^:(?!:)", "::", text)))


def tcptrace(path, folder):
    """flow -> sums over the connections of its tuple."""
    lines = run(["tcptrace", "-nlr", "--csv", path], folder).stdout.splitlines()
    rows = [row for row in csv.reader(lines) if len(row) > 90]
    if not rows:
        return {}
    names, flows = [name.strip() for name in rows[0]], {}
    for row in rows[1:]:
        r = dict(zip(names, (value.strip() for value in row)))
        a, b = ((address(r["host_" + x]), int(r["port_" + x])) for x in "ab")
        for way, key in (("a2b", (*a, *b)), ("b2a", (*b, *a))):
            f = flows.setdefault(key, collections.Counter(connections=0))
            f["connections"] += 1
            f["again"] += int(number(r[f"rexmt_data_pkts_{way}"])) + int(number(r[f"outoforder_pkts_{way}"]))
            f["packets"] += int(number(r[f"total_packets_{way}"]))
            f["samples"] += int(number(r[f"RTT_samples_{way}"]))
            f["min_us"], f["avg_us"] = (round(number(r[f"RTT_{x}_{way}"]) * 1000) for x in ("min", "avg"))
    return flows


# ---- what the product says


def counted_frames(tool, path, folder):
    """Frame -> flow of what field 4 counts."""
    found = {}
    for line in run([tool, "--frames", path], folder).stdout.splitlines():
        frame, ends, _ = line.split("\t")
        a, b = re.fullmatch(r"(\[.*\]:\d+|[\d.]+:\d+)-(\[.*\]:\d+|[\d.]+:\d+)", ends).groups()
        key = ()
        for end in (a, b):
            host, _, port = end.rpartition(":")
            key += (address(host.strip("[]")), int(port))
        found[int(frame)] = key
    return found


def records(probe, path, folder):
    """Flow -> its TCP record; of several, the sums, and the minimum of the minima."""
    command = [probe, "--read", path, "--output", "json"]
    for setting in ("export.active_timeout", "export.inactive_timeout", "tcp.close_linger"):
        command += ["--set", f"{setting}=1000000s"]
    command += ["--set", "export.fields=extended", "--set", "flow.max_flows=16384"]
    flows = {}
    for line in run(command, folder).stdout.splitlines():
        r = json.loads(line)
        if r["protocolIdentifier"] != 6:
            continue
        source, destination = (r.get(x + "IPv4Address") or r.get(x + "IPv6Address") for x in ("source", "destination"))
        key = (source, r["sourceTransportPort"], destination, r["destinationTransportPort"])
        flows.setdefault(key, []).append(r)
    return flows


# ---- what must be equal


class Comparison:
    def __init__(self, capture, known):
        self.capture, self.known = capture, known
        self.differences, self.used, self.counts = [], collections.Counter(), collections.Counter()

    def known_as(self, check, what):
        for line, (capture, a_check, places, _) in enumerate(self.known):
            if capture == self.capture and a_check == check and (" times" in places or what in places.split(",")):
                self.used[line] += 1
                return True
        return False

    def differ(self, check, what, text):
        if self.known_as(check, what):
            self.counts[check + ", explained"] += 1
        else:
            self.differences.append(f"{self.capture}\t{check}\t{what}\t{text}")

    def check(self, check, what, good, text):
        if good:
            self.counts[check] += 1
        else:
            self.differ(check, what, text)


def flow_text(key):
    return f"{key[0]}:{key[1]}-{key[2]}:{key[3]}"


def compare(arguments):
    probe, tool, path, known = arguments
    with tempfile.TemporaryDirectory() as folder:
        c = Comparison(os.path.basename(path), known)
        segments = dissect(path, folder)
        if not segments:
            return c
        plain = normalise(path, folder)
        flows = records(probe, path, folder)
        doubled = copies(segments)
        again = {s["frame"]: flow(s) for s in segments if s["again"]}
        if plain:
            read = {s["frame"] for s in segments}
            counted = {f: key for f, key in counted_frames(tool, plain, folder).items() if f in read}
            compare_frames(c, again, counted, doubled)
            compare_counts(c, flows, collections.Counter(counted.values()))
        else:
            c.check("frames", "*", not again, f"cannot be rewritten; tshark marks {len(again)} frames")
        compare_handshakes(c, flows, segments)
        if plain:
            spoilt = {pair(s) for s in segments if s["frame"] in doubled}
            read = collections.Counter(flow(s) for s in segments if pair(s) not in spoilt)
            compare_tcptrace(c, flows, tcptrace(plain, folder), read)
        return c


def compare_frames(c, theirs, ours, doubled):
    for frame in sorted(set(theirs) | set(ours)):
        if frame in theirs and frame in ours:
            c.counts["frames"] += 1
        elif frame in theirs and frame in doubled:
            c.counts["frames, captured copies"] += 1
        else:
            who = "tshark" if frame in theirs else "field 4"
            c.differ("frames", str(frame), f"counted by {who} alone, of {flow_text(theirs.get(frame) or ours[frame])}")


def compare_counts(c, flows, frames):
    for key in sorted(set(frames) | set(flows), key=str):
        f4 = sum(r["retransmit_count"] for r in flows.get(key, ()))
        c.check("probe", flow_text(key), f4 == frames[key], f"field 4 {f4}, {frames[key]} frames")


def compare_handshakes(c, flows, segments):
    halves, wholes = handshakes(segments)
    for key, half in halves.items():
        if len(flows.get(key, ())) != 1 or "handshake_rtt_us" not in flows[key][0]:
            continue
        r = flows[key][0]
        for field, expected in (("handshake_rtt_us", half), ("handshake_total_us", wholes.get(key))):
            if expected is not None:
                got = r[field]
                text = f"{field} {got}, frames {expected:.3f} us apart"
                c.check("handshake", flow_text(key), abs(got - max(1, expected)) <= 1, text)


def compare_tcptrace(c, flows, theirs, packets):
    for key, t in theirs.items():
        rs = flows.get(key, ())
        # A tuple of several connections, a packet that one of the two does not read, or captured copies.
        if len(rs) != 1 or t["connections"] != 1 or t["packets"] != packets[key]:
            c.counts["not one connection without copies to tcptrace"] += 1
            continue
        r, what = rs[0], flow_text(key)
        f4 = r["retransmit_count"]
        c.check("rexmt", what, f4 == t["again"], f"field 4 {f4}, tcptrace {t['again']}")
        if not r["min_rtt_us"] or not t["samples"]:
            continue
        near = max(0.01 * t["min_us"], 150) + 50
        text = f"field 1 {r['min_rtt_us']}, tcptrace {t['min_us']} of {t['samples']} samples"
        c.check("rtt_min", what, abs(r["min_rtt_us"] - t["min_us"]) <= near, text)
        share = 0.05 if min(t["samples"], r.get("rtt_sample_count", t["samples"])) >= 30 else 0.10
        near = max(share * t["avg_us"], 150) + 50
        text = f"field 3 {r['avg_rtt_us']} of {r.get('rtt_sample_count')}, tcptrace {t['avg_us']} of {t['samples']}"
        c.check("rtt_avg", what, abs(r["avg_rtt_us"] - t["avg_us"]) <= near, text)


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__.split("\n")[2])
    probe, tool, folder, known_file, *only = sys.argv[1:]
    with open(known_file, encoding="utf-8") as file:
        known = [tuple(line.rstrip("\n").split("\t")) for line in file if not line.startswith("#")]
    paths = sorted(glob.glob(os.path.join(folder, "corpus", "*.pcap*")))
    paths += sorted(glob.glob(os.path.join(folder, "tcp-vectors", "lab_*.pcap")))
    if only:
        paths = [path for path in paths if os.path.basename(path) in only]
    tasks = [(probe, tool, path, known) for path in paths]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        results = list(pool.map(compare, tasks))
    total = sum((c.counts for c in results), collections.Counter())
    used = sum((c.used for c in results), collections.Counter())
    differences = [one for c in results for one in c.differences]
    for name in sorted(total):
        print(f"{name:50} {total[name]}")
    print("\n".join(differences))
    if not only:
        for line, (*_, places, _) in enumerate(known):
            expected = int(places.split()[0]) if " times" in places else len(places.split(","))
            if used[line] != expected:
                differences.append(line)
                print(f"explains {used[line]} differences:", *known[line])
    print(f"{len(paths)} captures, {len(differences)} differences without a cause")
    sys.exit(1 if differences or not total["frames"] else 0)


if __name__ == "__main__":
    main()
