#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The TCP figures of the running probe against the kernel that sent the segments.

lab.py [--all | --ci | --smoke | --only SCENARIO...] [--repeat N] [--jobs N] [--seed N] [--keep FOLDER] [PROBE WIRE]

Each scenario runs in three network namespaces of its own, joined by wire.cpp: a client, a server, and between them a
tap, where the probe and tcpdump listen to every frame.  README.md here says what is compared, and why it must agree.
Prints a table in Markdown, then every comparison that failed; the exit status is 1 if one did, 77 if the laboratory
cannot be built here.
"""

import argparse
import concurrent.futures
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import probe  # noqa: E402

PORT = 5001
LIMIT = 90  # seconds that a scenario may take
HOLE_OVERFLOW = 1 << 4  # a bit of tcp_quality
TICK_US = 1000  # of Linux's TCP timestamps: the kernel's own minimum is that coarse when it takes it from one
DELAY_US = {"client-tap": 5000, "tap-server": 15000, "server-tap": 15000, "tap-client": 5000}
# Answers of several segments are acknowledged by the kernel alone: no program's wake-up is in that time.
TALK = ["turns", 12, 100, 6000, 0]

# ---- scenarios
# legs: what the wire does beyond its delay; steps: what the client does (load.py).  Steps begin with TALK.
# The rest: v6, settings of the kernels (sysctl under net/ipv4), the server's receive buffer, settings of the probe.


def scenario(
    *, steps=(("bulk", 1_500_000, 0),), talk=TALK, delays=None, v6=False, sysctl=None, buffer=0, sets=(), **legs
):
    assert not set(legs) - {leg.replace("-", "_") for leg in DELAY_US}, legs
    return {
        "steps": [talk, *steps],
        "delays": {**DELAY_US, **(delays or {})},
        "legs": {name.replace("_", "-"): settings for name, settings in legs.items()},
        "v6": v6,
        "sysctl": sysctl or {},
        "buffer": buffer,
        "sets": sets,
    }


BIG = (("bulk", 2_500_000, 0),)
SHORT = (("turns", 5, 300, 900, 0.02),)
ONE_BY_ONE = ["turns", 30, 1000, 100, 0.05]
LAN = {"client-tap": 50, "tap-server": 100, "server-tap": 100, "tap-client": 50}
NO_TIMESTAMPS = {"tcp_timestamps": 0}

SCENARIOS = {
    "clean": scenario(),
    "loss_after": scenario(steps=BIG, tap_server={"data_loss": 1}),
    "loss_before": scenario(steps=BIG, client_tap={"data_loss": 1}),
    "loss_both": scenario(steps=BIG, client_tap={"data_loss": 1}, tap_server={"data_loss": 1}),
    "loss_all_legs": scenario(
        client_tap={"loss": 1},
        tap_server={"loss": 1},
        server_tap={"loss": 1},
        tap_client={"loss": 1},
        steps=(("bulk", 1_000_000, 0), ("turns", 30, 3000, 9000, 0)),
    ),
    "in_pieces": scenario(
        steps=(("turns", 30, 3000, 9000, 0.05), *BIG),
        client_tap={"reorder": 1, "hold_us": 4000, "first_only": 1},
        tap_server={"data_loss": 1},
        tap_client={"data_loss": 1},
        sets=("export.active_timeout=1s",),
    ),
    "ack_loss": scenario(server_tap={"ack_loss": 10}, tap_client={"ack_loss": 10}),
    "reorder_before": scenario(client_tap={"reorder": 2, "hold_us": 4000, "first_only": 1}),
    "reorder_after": scenario(tap_server={"reorder": 2, "hold_us": 4000, "first_only": 1}),
    "reorder_far": scenario(client_tap={"reorder": 1, "hold_us": 30000, "first_only": 1}),
    "reorder_strict": scenario(
        client_tap={"reorder": 2, "hold_us": 4000, "first_only": 1},
        tap_server={"data_loss": 1},
        sets=("tcp.retransmit_mode=strict",),
    ),
    "duplicate": scenario(client_tap={"duplicate": 2}),
    "jitter": scenario(client_tap={"jitter_us": 4000}, server_tap={"jitter_us": 10000}),
    "tail_loss": scenario(tap_server={"drop_data": "6+15+24+25"}, talk=ONE_BY_ONE, steps=()),
    "tail_loss_no_probe": scenario(
        tap_server={"drop_data": "6+15+24+25"}, talk=ONE_BY_ONE, steps=(), sysctl={"tcp_early_retrans": 0}
    ),
    "syn_loss": scenario(tap_server={"drop_syn": 2}, steps=SHORT),
    "syn_loss_before": scenario(client_tap={"drop_syn": 1}, steps=SHORT),
    "syn_ack_loss": scenario(tap_client={"drop_syn": 1}, steps=SHORT),
    "fin_loss": scenario(tap_server={"drop_fin": 1}, tap_client={"drop_fin": 1}, steps=SHORT),
    "request_response": scenario(
        tap_client={"data_loss": 2}, tap_server={"data_loss": 2}, steps=(("turns", 60, 200, 12000, 0),)
    ),
    "zero_window": scenario(steps=(("bulk", 900_000, 2.5),), buffer=16384),
    "keepalive": scenario(steps=(("keepalive", 1), ("idle", 3.6))),
    "outage": scenario(steps=BIG, tap_server={"dark_after": 300, "dark_us": 1_300_000}),
    "outage_before": scenario(steps=BIG, client_tap={"dark_after": 300, "dark_us": 1_300_000}),
    "ecn": scenario(steps=BIG, client_tap={"mark": 1}, server_tap={"mark": 2}, sysctl={"tcp_ecn": 1}),
    "bottleneck": scenario(steps=BIG, tap_server={"rate_kbps": 20_000, "queue": 40}),
    "bottleneck_bbr": scenario(
        steps=BIG, tap_server={"rate_kbps": 20_000, "queue": 30}, sysctl={"tcp_congestion_control": "bbr"}
    ),
    "heavy": scenario(
        client_tap={"loss": 2, "reorder": 2, "hold_us": 6000},
        tap_server={"loss": 3, "duplicate": 0.5},
        server_tap={"ack_loss": 5},
        steps=(("bulk", 600_000, 0),),
    ),
    "fast_lan": scenario(
        delays=LAN,
        client_tap={"data_loss": 0.5},
        tap_server={"data_loss": 0.5, "reorder": 0.5, "hold_us": 100},
        steps=(("bulk", 4_000_000, 0),),
    ),
    "long_way": scenario(
        delays={"client-tap": 30000, "tap-client": 30000, "tap-server": 70000, "server-tap": 70000},
        tap_server={"data_loss": 0.5},
    ),
    "v6_clean": scenario(v6=True),
    "v6_loss": scenario(v6=True, client_tap={"data_loss": 1}, tap_server={"data_loss": 1}),
    "v6_reorder": scenario(v6=True, client_tap={"reorder": 2, "hold_us": 4000, "first_only": 1}),
    "no_ts_loss_after": scenario(steps=BIG, tap_server={"data_loss": 1}, sysctl=NO_TIMESTAMPS),
    "no_ts_loss_before": scenario(steps=BIG, client_tap={"data_loss": 1}, sysctl=NO_TIMESTAMPS),
    "no_ts_reorder": scenario(client_tap={"reorder": 1, "hold_us": 4000, "first_only": 1}, sysctl=NO_TIMESTAMPS),
    "no_sack": scenario(tap_server={"data_loss": 1}, sysctl={"tcp_sack": 0, "tcp_dsack": 0}),
    "no_ts_no_sack": scenario(tap_server={"data_loss": 1}, sysctl={**NO_TIMESTAMPS, "tcp_sack": 0, "tcp_dsack": 0}),
}
SMOKE = ("loss_after", "reorder_before")
CI = (
    "clean",
    "loss_after",
    "loss_before",
    "loss_all_legs",
    "in_pieces",
    "reorder_before",
    "reorder_far",
    "duplicate",
    "tail_loss_no_probe",
    "syn_loss",
    "syn_ack_loss",
    "fin_loss",
    "request_response",
    "zero_window",
    "outage",
    "ecn",
    "heavy",
    "fast_lan",
    "v6_loss",
    "no_ts_loss_after",
    "no_ts_no_sack",
)

# ---- one scenario, in a namespace of its own, which is the tap's


class Host:
    """A namespace with one end of the wire; it goes with its holder."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.holder.stdout.readline()
        self.namespace = f"/proc/{self.holder.pid}/ns/net"

    def command(self, *arguments):
        return ["nsenter", f"--net={self.namespace}", *arguments]

    def set_up(self, interface, number, sysctl):
        """Neighbours known from the start: nothing but TCP is on the wire, and no handshake waits for an address."""
        other = 3 - number
        script = f"""
            ip link set lo up
            ip link set {interface} address 02:00:00:00:00:0{number} addrgenmode none txqueuelen 10000
            ip addr add 10.9.0.{number}/24 dev {interface}
            ip addr add fd00:9::{number}/64 dev {interface} nodad
            ip link set {interface} up
            ip neigh replace 10.9.0.{other} lladdr 02:00:00:00:00:0{other} dev {interface} nud permanent
            ip neigh replace fd00:9::{other} lladdr 02:00:00:00:00:0{other} dev {interface} nud permanent
            echo cubic > /proc/sys/net/ipv4/tcp_congestion_control || true
        """
        for name, value in sysctl.items():
            script += f"echo {value} > /proc/sys/net/ipv4/{name}\n"
        subprocess.run(self.command("sh", "-ec", script), check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def counters(self):
        """What the kernel counted in this namespace: everything of snmp and netstat."""
        counted = {}
        for file in ("snmp", "netstat"):
            with open(f"/proc/{self.holder.pid}/net/{file}", encoding="ascii") as table:
                rows = [line.split() for line in table]
            for names, values in zip(rows[::2], rows[1::2]):
                counted.update({names[0][:-1] + name: int(value) for name, value in zip(names[1:], values[1:])})
        return counted

    def is_quiet(self):
        """No connection is left that could still send; TIME_WAIT only answers."""
        for file in ("tcp", "tcp6"):
            with open(f"/proc/{self.holder.pid}/net/{file}", encoding="ascii") as table:
                if any(line.split()[3] != "06" for line in table.readlines()[1:]):
                    return False
        return True

    def close(self):
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait()


class Background:
    """A program whose output goes to files; ends by what stops it, or is killed by its process id."""

    def __init__(self, name, command, folder, stdin=subprocess.DEVNULL):
        self.name, self.out, self.err = name, os.path.join(folder, name + ".out"), os.path.join(folder, name + ".err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err)

    def text(self):
        with open(self.out, encoding="utf-8") as out, open(self.err, encoding="utf-8", errors="replace") as err:
            return out.read() + err.read()

    def wait_for(self, words):
        def said():
            assert self.process.poll() is None, f"{self.name} ended early: {self.text()}"
            return words in self.text()

        probe.wait_for(f"{self.name} says {words!r}", said, LIMIT)

    def finish(self, status=0):
        assert self.process.wait(LIMIT) == status, f"{self.name}: {self.text()}"
        with open(self.out, encoding="utf-8") as out:
            return out.read()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()


class Run:
    """What was measured in one scenario: `probe`, `wire`, `kernel`, `load`, `tshark`, each by host that sent."""

    def __init__(self, name, program, wire, seed, folder):
        self.name, self.what, self.folder = name, SCENARIOS[name], folder
        self.closing = []
        try:
            self.go(program, wire, seed)
        finally:
            for thing in reversed(self.closing):
                thing.close()

    def opened(self, thing):
        self.closing.append(thing)
        return thing

    def go(self, program, wire_program, seed):
        hosts = {"client": self.opened(Host()), "server": self.opened(Host())}
        legs = [
            leg + ":" + ",".join(f"{k}={v}" for k, v in {"delay_us": delay, **self.what["legs"].get(leg, {})}.items())
            for leg, delay in self.what["delays"].items()
        ]
        wire = self.opened(
            Background(
                "wire",
                [
                    wire_program,
                    hosts["client"].namespace,
                    "/proc/self/ns/net",
                    hosts["server"].namespace,
                    "--seed",
                    str(seed),
                    "--log",
                    os.path.join(self.folder, "wire.tsv"),
                    *legs,
                ],
                self.folder,
                stdin=subprocess.PIPE,
            )
        )
        wire.wait_for("ready")
        for number, (side, host) in enumerate(hosts.items(), 1):
            host.set_up("wol" + side, number, self.what["sysctl"])
        probe.ip("link", "set", "woltap", "addrgenmode", "none", "txqueuelen", "10000", "up")
        probe.no_offload("woltap")
        listeners = self.listen(program)
        before = {side: host.counters() for side, host in hosts.items()}
        self.load = self.talk(hosts)
        for side, host in hosts.items():
            probe.wait_for(f"the {side}'s connections have ended", host.is_quiet, LIMIT)
        # The last acknowledgment is on its way: nothing answers it that could be waited for.
        select.select([], [], [], 2 * sum(self.what["delays"].values()) / 1e6 + 0.1)
        after = {side: host.counters() for side, host in hosts.items()}
        self.kernel = {side: {k: v - before[side][k] for k, v in after[side].items()} for side in hosts}
        self.read_listeners(*listeners)
        wire.process.stdin.close()
        self.wire = json.loads(wire.finish().split("\n")[1])

    def listen(self, program):
        command = [program, "-interface", "woltap", "--filter", "tcp", "--output", "json"]
        command += ["--counters", os.path.join(self.folder, "counters.json")]
        for setting in (
            "export.fields=extended",
            "export.active_timeout=1000000s",
            "export.inactive_timeout=1000000s",
            "tcp.close_linger=1000s",
            "capture.workers=1",
            "capture.buffer_size_mb=16",
            "flow.max_flows=1024",
            *self.what["sets"],
        ):
            command += ["--set", setting]
        listener = self.opened(Background("probe", command, self.folder))
        listener.wait_for("capturing on woltap")
        self.capture = os.path.join(self.folder, "tap.pcap")
        second = None
        # In a user namespace tcpdump cannot change its user.
        if shutil.which("tcpdump") and shutil.which("tshark") and os.environ["CHOMPY_IN_NAMESPACE"] == "net":
            second = self.opened(
                Background(
                    "tcpdump",
                    "tcpdump -Z root -i woltap -s 128 -B 16384 --immediate-mode -U -w".split() + [self.capture, "tcp"],
                    self.folder,
                )
            )
            second.wait_for("listening on")
        sockets = 1 if second is None else 2
        probe.wait_for("all are capturing", lambda: probe.packet_sockets("woltap") >= sockets)
        return listener, second

    def talk(self, hosts):
        address = "fd00:9::2" if self.what["v6"] else "10.9.0.2"
        load = os.path.join(HERE, "load.py")
        ends = {}
        for side, arguments in (("server", [str(self.what["buffer"])]), ("client", [json.dumps(self.what["steps"])])):
            ends[side] = self.opened(
                Background(
                    side,
                    hosts[side].command(sys.executable, "-B", load, side, address, str(PORT), *arguments),
                    self.folder,
                )
            )
            if side == "server":
                ends[side].wait_for("ready")
        return {side: json.loads(end.finish().split("\n")[-2]) for side, end in ends.items()}

    def read_listeners(self, listener, second):
        listener.process.terminate()
        records = [json.loads(line) for line in listener.finish().splitlines()]
        with open(os.path.join(self.folder, "counters.json"), encoding="utf-8") as file:
            self.counters = json.load(file)
        sides = {"client": [], "server": []}
        for record in records:
            sides["client" if record["destinationTransportPort"] == PORT else "server"].append(record)
        pieces = "in_pieces" in self.name
        assert all((len(of_side) > 2) if pieces else (len(of_side) == 1) for of_side in sides.values()), records
        self.probe = {side: merge(of_side) for side, of_side in sides.items()}
        self.tshark = None
        if second:
            second.process.send_signal(signal.SIGINT)
            second.finish()
            self.tshark = count_by_tshark(self.capture, self.folder)


def merge(records):
    """Records of one flow as one: counts are added, extremes compared, the last attribute stands."""
    whole = dict(records[-1])
    samples = [r for r in records if r["min_rtt_us"]]
    for name in whole:
        values = [r[name] for r in records]
        if name == "avg_rtt_us" and len(records) > 1:
            weights = [r["rtt_sample_count"] for r in samples]
            whole[name] = sum(r[name] * w for r, w in zip(samples, weights)) // sum(weights)
        elif name.endswith(("_count", "_octets", "DeltaCount", "_sum_us")) or name == "zero_window_us":
            whole[name] = max(values) if name.startswith("max_") else sum(values)
        elif name.startswith("max_"):
            whole[name] = max(values)
        elif name.endswith("min_rtt_us"):
            whole[name] = min(filter(None, values), default=0)
        elif name.startswith("min_"):
            whole[name] = min(values)
    return whole


def count_by_tshark(capture, folder):
    """By host: frames sent again or out of order, with ECE or CWR outside the SYN; windows as sent and as meant."""
    command = ["tshark", "-r", capture, "-Y", "tcp", "-T", "fields", "-E", "occurrence=f"]
    for field in "dstport flags window_size_value window_size analysis.retransmission analysis.out_of_order".split():
        command += ["-e", "tcp." + field]
    settings = {**os.environ, "WIRESHARK_CONFIG_DIR": folder}
    counts = {side: {"again": 0, "ece": 0, "cwr": 0, "raw": [], "scaled": []} for side in ("client", "server")}
    for line in subprocess.run(command, check=True, capture_output=True, text=True, env=settings).stdout.splitlines():
        port, flags, raw, scaled, *marks = line.split("\t")
        flags, count = int(flags, 0), counts["client" if port == str(PORT) else "server"]
        count["again"] += any(marks)
        count["ece"] += flags & 0x42 == 0x40
        count["cwr"] += flags & 0x82 == 0x80
        if not flags & 0x04:
            count["raw"].append(int(raw))
        if not flags & 0x06:
            count["scaled"].append(int(scaled))
    for count in counts.values():
        for kind in ("raw", "scaled"):
            count[kind] = [min(count[kind]), max(count[kind])]
    return counts


# ---- what must hold


class Verdict:
    """Comparisons of one run, in one direction after the other."""

    def __init__(self, run):
        self.run, self.wrong, self.count = run, [], 0
        self.extended = "out_of_order_count" in run.probe["client"]
        self.strict = any("strict" in setting for setting in run.what["sets"])
        self.timestamps = run.what["sysctl"].get("tcp_timestamps", 1) == 1
        self.vary_us = sum(settings.get("jitter_us", 0) for settings in run.what["legs"].values())
        self.equal("packets that the probe lost", run.counters["packets_dropped"], 0)
        for side in ("client", "server"):
            self.laboratory(side)
            self.repeats(side)
            if self.extended:
                self.classes(side)
            self.halves(side)
        self.whole_round_trip()

    def holds(self, what, good, text):
        self.count += 1
        if not good:
            self.wrong.append(f"{what}: {text}")

    def equal(self, what, got, expected):
        self.holds(what, got == expected, f"{got}, expected {expected}")

    def near(self, what, got, expected, within):
        self.holds(what, abs(got - expected) <= within, f"{got}, expected {expected} +- {within:g}")

    def laboratory(self, side):
        """The judges agree with each other: what the kernel says it sent again is what left its interface again."""
        wire, kernel = self.run.wire[side], self.run.kernel[side]
        self.equal(f"{side}: segments that an interface did not take", wire["undelivered"], 0)
        self.equal(f"{side}: repeats that the kernel could not send", kernel.get("TcpExtTCPRetransFail", 0), 0)
        self.equal(f"{side}: repeats on the wire, by the kernel", wire["sent_before"], kernel["TcpRetransSegs"])
        self.equal(f"{side}: packets of the record", self.run.probe[side]["packetDeltaCount"], wire["tap_segments"])

    def repeats(self, side):
        record, wire, kernel = self.run.probe[side], self.run.wire[side], self.run.kernel[side]
        again, overtaken = wire["tap_again_below"], wire["tap_overtaken"]
        f4 = record["retransmit_count"]
        if not self.strict:
            self.equal(f"{side}: f4, by the wire", f4, again + overtaken)
        if self.extended or self.strict:
            f118 = record.get("out_of_order_count", 0)
            repeats = f4 if self.strict else f4 - f118
            # A repeat that was itself overtaken is both.  One that comes in the same tick as the segment that opened
            # its gap (new data and a repeat, sent together after a timeout) cannot be told from an overtaken one.
            margin = wire["tap_again_late"] + wire["tap_again_young"]
            if not self.timestamps:
                margin += max(2, 0.05 * again)
            self.near(f"{side}: repeats, by the wire", repeats, again, margin)
            if self.unseen(side) == 0:
                self.near(f"{side}: repeats, by the kernel", repeats, kernel["TcpRetransSegs"], margin)
            if self.extended:
                self.near(f"{side}: f118, by the wire", f118, overtaken, margin)
        if self.run.tshark and not self.strict and wire["tap_copies"] == 0:
            # An acknowledgment's own number tells tshark of data that never passed; field 4 goes by data alone.
            more = self.run.tshark[side]["again"] - f4
            good = 0 <= more <= wire["tap_again_above"]
            self.holds(f"{side}: f4, by tshark", good, f"{f4}, tshark {more} more")

    def unseen(self, side):
        """Repeats that nobody at the tap can know: lost before it, or their originals were, and all behind those."""
        return self.run.wire[side]["again_lost_before"] + self.run.wire[side]["tap_again_above"]

    def classes(self, side):
        record, wire, kernel = self.run.probe[side], self.run.wire[side], self.run.kernel[side]
        other = "server" if side == "client" else "client"
        peer, load = self.run.probe[other], self.run.load
        self.equal(f"{side}: f119, copies by the wire", record["duplicate_packet_count"], wire["tap_copies"])
        self.equal(f"{side}: f122, Linux probes without an octet", record["keepalive_count"], 0)
        self.equal(f"{side}: f128, by the MTU", record["tcp_mss"], 1440 if self.run.what["v6"] else 1460)
        self.congestion(side, other)
        if self.run.tshark:
            self.windows(side)
        if self.unseen(side) == 0:
            # A tail-loss probe is a timer's as well; with one segment outstanding it waits as long as a timeout.
            low = timeouts(side, kernel)
            high = low + kernel["TcpExtTCPLossProbes"]
            f115 = record["retransmit_timeout_count"]
            self.holds(f"{side}: f115, by the kernel", low - 1 <= f115 <= high + 1, f"{f115}, expected {low} to {high}")
            self.equal(f"{side}: f121, by the kernel", record["syn_retransmit_count"], kernel["TcpExtTCPSynRetrans"])
            if kernel["TcpRetransSegs"] == load[side]["total_retrans"] and wire["tap_again_late"] == 0:
                self.equal(f"{side}: f113, by the kernel", record["retransmit_octets"], load[side]["bytes_retrans"])
        if self.run.wire[other]["lost_after"] == 0:
            dsacks = kernel["TcpExtTCPDSACKRecv"] + kernel["TcpExtTCPDSACKOfoRecv"]
            self.equal(f"{side}: f117, by the kernel", record["dsack_count"], dsacks)
        octets = load["client"]["sent" if side == "client" else "received"]
        known = record["unseen_octets"] + record["unique_octets"]
        # More gaps at a time than the probe remembers: it says so, and some octets are in neither count.
        complete = known <= octets if record["tcp_quality"] & HOLE_OVERFLOW else known == octets
        self.holds(f"{side}: f135 + f136, by the load", complete, f"{known}, expected {octets}")
        if wire["lost_before"] + wire["lost_after"] == 0:
            zeroes = self.run.kernel[other]["TcpExtTCPToZeroWindowAdv"]
            self.equal(f"{side}: f123 of its peer, by the kernel", peer["zero_window_count"], zeroes)
        if side == "client":
            self.equal("f132, by the load", record["response_count"], load["client"]["asked"])
            self.stalls(peer, self.run.kernel[other]["TcpExtTCPToZeroWindowAdv"])

    def congestion(self, side, other):
        record, wire = self.run.probe[side], self.run.wire[side]
        self.equal(f"{side}: f129, by the wire", record["ecn_ce_count"], wire["tap_marked"])
        if wire["lost_after"] == 0 and not any("mark" in leg for leg in self.after(side)):
            self.equal(f"{side}: f129, by the kernel", wire["tap_marked"], self.run.kernel[other]["IpExtInCEPkts"])
        if self.run.tshark and wire["tap_copies"] == 0:
            self.equal(f"{side}: f130, by tshark", record["ecn_ece_count"], self.run.tshark[side]["ece"])
            self.equal(f"{side}: f131, by tshark", record["ecn_cwr_count"], self.run.tshark[side]["cwr"])

    def windows(self, side):
        record = self.run.probe[side]
        for fields, kind in (("f5, f6", "raw"), ("f126, f127", "scaled")):
            suffix = "_tcp_window" if kind == "raw" else "_scaled_window"
            got = [record["min" + suffix], record["max" + suffix]]
            self.equal(f"{side}: {fields}, by tshark", got, self.run.tshark[side][kind])

    def after(self, side):
        return [self.run.what["legs"].get("tap-server" if side == "client" else "tap-client", {})]

    def stalls(self, record, zeroes):
        stall_us = sum(step[2] for step in self.run.what["steps"] if step[0] == "bulk") * 1_000_000
        if stall_us:
            self.near("f124, by the load", record["zero_window_us"], stall_us, 0.2 * stall_us)
            self.equal("f5 while the window is shut", record["min_tcp_window"], 0)
        elif zeroes == 0:
            self.equal("f124", record["zero_window_us"], 0)

    def halves(self, side):
        """The wire's delay is a lower bound of every sample, whatever else the machine does."""
        there, back = ("tap-server", "server-tap") if side == "client" else ("tap-client", "client-tap")
        record, set_us = self.run.probe[side], self.run.what["delays"][there] + self.run.what["delays"][back]
        self.holds(
            f"{side}: f1 <= f3 <= f2, none below what the wire is set to",
            set_us <= record["min_rtt_us"] <= record["avg_rtt_us"] <= record["max_rtt_us"],
            f"{set_us} {[record[k] for k in ('min_rtt_us', 'avg_rtt_us', 'max_rtt_us')]}",
        )
        total, answers = record.get("handshake_total_us", 0), record.get("response_count", 0)
        if total:
            # connect() waits for the way back, the tap for the last acknowledgment's way to it.
            most = self.run.load["client"]["connect_us"] + TICK_US + self.vary_us
            limits = sum(self.run.what["delays"].values()), most
            self.holds("f111, by the wire and connect()", limits[0] <= total <= limits[1], f"{total}, {limits}")
            sum_us = sum(self.run.probe[end]["handshake_rtt_us"] for end in ("client", "server"))
            self.near("f110 + f110, by f111", sum_us, total, 1)
        for name, count in (("handshake_rtt_us", 1), ("ts_min_rtt_us", 1), ("response_sum_us", answers)):
            if record.get(name):
                least = count * set_us
                self.holds(f"{side}: {name}, by the wire", record[name] >= least, f"{record[name]}, at least {least}")

    def whole_round_trip(self):
        """Each half has its minimum from another segment: where they vary, no whole round trip needs to be as short."""
        whole = sum(record["min_rtt_us"] for record in self.run.probe.values())
        for side in ("client", "server"):
            kernel = self.run.load[side]["min_rtt_us"]
            margin = 0.01 * kernel + TICK_US
            self.holds(
                f"f1 + f1, by the {side}'s tcpi_min_rtt",
                kernel - margin - self.vary_us <= whole <= kernel + margin,
                f"{whole}, expected {kernel} +- {margin:.0f}, less {self.vary_us}",
            )


def timeouts(side, kernel):
    """Timer expiries.  TCPTimeouts leaves out a listener's timer; the SYN-ACKs that it repeats are in TCPSynRetrans."""
    return kernel["TcpExtTCPTimeouts"] + (kernel["TcpExtTCPSynRetrans"] if side == "server" else 0)


def injected(run):
    """In words, what the wire did to the TCP segments."""
    total = {key: sum(run.wire[side][key] for side in run.wire) for key in run.wire["client"]}
    parts = [("lost before", "lost_before"), ("lost after", "lost_after"), ("held", "held")]
    parts += [("doubled", "doubled"), ("marked at the tap", "tap_marked")]
    return ", ".join(f"{total[key]} {word}" for word, key in parts if total[key]) or "-"


HEADERS = (
    "run",
    "injected",
    "kernel repeats",
    "of them past the tap",
    "f4",
    "f118",
    "f4 - f118",
    "tshark rx + ooo",
    "f114, kernel fast",
    "f115, kernel timeouts",
    "f1 + f1 ms",
    "tcpi_min_rtt ms",
    "verdict",
)


def row(run, verdict):
    """Both directions of the connection in one row, client + server."""
    sides = ("client", "server")

    def both(value):
        values = [value(side) for side in sides]
        return str(values[0]) if values[1] == 0 else f"{values[0]} + {values[1]}"

    def field(name):
        return both(lambda side: run.probe[side][name]) if verdict.extended else "-"

    kernel_fast = both(lambda side: run.kernel[side]["TcpExtTCPFastRetrans"])
    kernel_timeouts = both(lambda side: timeouts(side, run.kernel[side]))
    def repeats(side):
        f4, f118 = (run.probe[side][name] for name in ("retransmit_count", "out_of_order_count"))
        return f4 if verdict.strict else f4 - f118

    return (
        run.name,
        injected(run),
        both(lambda side: run.kernel[side]["TcpRetransSegs"]),
        both(lambda side: run.wire[side]["tap_again_below"]),
        both(lambda side: run.probe[side]["retransmit_count"]),
        field("out_of_order_count"),
        both(repeats) if verdict.extended else "-",
        both(lambda side: run.tshark[side]["again"]) if run.tshark else "-",
        f"{field('retransmit_fast_count')}, {kernel_fast}",
        f"{field('retransmit_timeout_count')}, {kernel_timeouts}",
        f"{sum(run.probe[side]['min_rtt_us'] for side in sides) / 1000:.2f}",
        " / ".join(f"{run.load[side]['min_rtt_us'] / 1000:.2f}" for side in sides),
        "ok" if not verdict.wrong else f"{len(verdict.wrong)} of {verdict.count} wrong",
    )


MEASURED = ("probe", "counters", "wire", "kernel", "load", "tshark")


def run_one(arguments):
    """In a process and a namespace of its own; prints the result for the process that asked for it."""
    probe.enter_namespace()
    folder = arguments.keep or tempfile.mkdtemp(prefix="chompy-netlab-")
    os.makedirs(folder, exist_ok=True)
    try:
        run = Run(arguments.one, arguments.probe, arguments.wire, arguments.seed, folder)
        if arguments.keep:
            with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as file:
                json.dump({k: getattr(run, k) for k in MEASURED}, file, indent=1)
        verdict = Verdict(run)
        print(json.dumps({"row": row(run, verdict), "wrong": verdict.wrong, "count": verdict.count}))
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


# ---- all scenarios


def start(arguments, name, seed, turn):
    command = [sys.executable, "-B", os.path.abspath(__file__), "--one", name, "--seed", str(seed)]
    if arguments.keep:
        command += ["--keep", os.path.join(os.path.abspath(arguments.keep), f"{name}.{turn}")]
    command += [arguments.probe, arguments.wire]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * LIMIT, check=False)
    if done.returncode != 0:
        said = [" ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-3:])]
        return {"row": (name, *["-"] * (len(HEADERS) - 2), "did not run"), "wrong": said, "count": 0}
    return json.loads(done.stdout)


def skip(reason):
    print("cannot run here:", reason)
    sys.exit(77)


def check_place():
    for tool in ("ip", "unshare", "nsenter"):
        if not shutil.which(tool):
            skip(f"no {tool}")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        skip("/dev/net/tun is not there or not for us")
    options = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    attempt = ["unshare", *options, "ip", "tuntap", "add", "woltry", "mode", "tap"]
    if subprocess.run(attempt, capture_output=True, check=False).returncode != 0:
        skip("network namespaces, or interfaces in them, are not allowed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    build = os.path.join(HERE, "..", "..", "build", "release")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every scenario")
    which.add_argument("--ci", action="store_true", help="those that say most")
    which.add_argument("--smoke", action="store_true", help="two of them")
    which.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--only", action="append", choices=SCENARIOS, default=[], help="this scenario; may be repeated")
    parser.add_argument("--repeat", type=int, default=1, help="each so often, with other seeds")
    parser.add_argument("--jobs", type=int, default=2, help="so many at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for captures, logs and results")
    parser.add_argument("probe", nargs="?", default=os.path.join(build, "chompy-probe"))
    parser.add_argument("wire", nargs="?", default=os.path.join(build, "test", "netlab", "netlab_wire"))
    arguments = parser.parse_args()
    arguments.probe, arguments.wire = os.path.abspath(arguments.probe), os.path.abspath(arguments.wire)
    if arguments.one:
        run_one(arguments)
        return
    check_place()
    names = SMOKE if arguments.smoke else CI if arguments.ci else arguments.only or tuple(SCENARIOS)
    began = time.monotonic()
    tasks = [(name, arguments.seed + turn, turn) for turn in range(arguments.repeat) for name in names]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda task: start(arguments, *task), tasks))
    print("| " + " | ".join(HEADERS) + " |\n|" + " --- |" * len(HEADERS))
    for result in results:
        print("| " + " | ".join(result["row"]) + " |")
    wrong = [f"{result['row'][0]}: {one}" for result in results for one in result["wrong"]]
    held = sum(result["count"] for result in results) - len(wrong)
    print(f"\n{len(results)} runs in {time.monotonic() - began:.0f} s; {held} comparisons hold, {len(wrong)} do not")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
