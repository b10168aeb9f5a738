#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Processor time and memory on capture files: the probe beside the floors of reading and beside other probes.

  run.py [SECTION...] [options]
    files    every workload: CPU a packet, packets a second, memory, ratios; record counts and TCP truth are checked
    growth   CPU a packet and memory over the number of flows, beside what the start-up line promises
    tcp      what TCP metering costs: none, six fields, the extended set
  Without a section: all three.  Prints Markdown, ready for the page of results.

The probe: one worker, records into an IPFIX file, a table with room for every flow.  A peer that needs long for a
workload reads the beginning of it; its row says how many packets that were.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
from harness import Failure, Workload, measure, median, print_table, require, spread

PORT = 2055
SIZES = {  # packets and flows of the workloads at scale 1
    "few": (10_000_000, 1000),
    "many": (10_000_000, 1_000_000),
    "tcp": (6_000_000, 200_000),
    "imix": (5_000_000, 100_000),
    "synflood": (5_000_000, None),
}
DEFAULT_FLOWS = 262_144
SHORT = 300_000  # packets for those that need microseconds for each


class Bench:
    def __init__(self, options):
        self.options, self.failures = options, []
        self.work = options.work or tempfile.mkdtemp(prefix="chompy-bench-")
        self.out = os.path.join(self.work, "out")
        os.makedirs(self.out, exist_ok=True)
        self.tools = options.tools
        self.touched_mib = 256

    def close(self):
        shutil.rmtree(self.work if not self.options.work else self.out, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.out, name)

    def empty(self):
        shutil.rmtree(self.out)
        os.makedirs(self.out)

    def measure(self, command, log=subprocess.DEVNULL, limit=180):
        harness.touch_memory(self.touched_mib, self.tools)
        return measure(command, limit, log, self.tools, self.out)

    def expect(self, records):
        """As much memory as the hungriest of them may take is touched before each run."""
        self.touched_mib = 256 + records * 600 // 2**20

    def workload(self, kind, stop=None):
        packets, flows = SIZES[kind]
        scale = self.options.scale
        if flows and kind != "few":  # few stays few; elsewhere flows are as long as at scale 1
            flows = max(flows * scale, 1)
        return Workload(self.work, kind, packets * scale, flows, stop, self.tools)

    def many(self, packets, flows):
        return Workload(self.work, "many", packets, flows, tools=self.tools)


# ---- contenders


class Contender:
    """Somebody who reads a capture file.  `short` names the workloads of which it reads the beginning only."""

    def __init__(self, bench, name, note=""):
        self.bench, self.name, self.note = bench, name, note
        self.short, self.is_peer = {}, True
        self.room = None  # table entries, where they are not to be as many as the workload needs

    def available(self):
        return shutil.which(self.command("x", 1)[0]) is not None

    def run(self, workload, file, entries):
        del workload
        return self.bench.measure(self.command(file.path, entries))


class Probe(Contender):
    def __init__(self, bench, program, name, settings=(), note=""):
        super().__init__(bench, name, note)
        self.program, self.settings, self.is_peer = os.path.realpath(program), settings, False
        self.promised_mib = 0.0
        self.truth_seen = set()

    def command(self, file, entries):
        command = [self.program, "--read", file, "--write-ipfix", self.bench.path("records.ipfix")]
        command += ["--counters", self.bench.path("counters.json"), "--set", f"flow.max_flows={entries}"]
        for setting in self.settings:
            command += ["--set", setting]
        return command

    def run(self, workload, file, entries):
        with open(self.bench.path("log"), "w+b") as log:
            cost = self.bench.measure(self.command(file.path, entries), log)
            log.seek(0)
            text = log.read().decode()
        self.promised_mib = promised_mib(text)
        self.check(workload)
        return cost

    def check(self, workload):
        records = self.bench.path("records.ipfix")
        harness.check_totals(records, workload)
        with open(self.bench.path("counters.json"), encoding="ascii") as file:
            counters = harness.json.load(file)
        evicted = counters["evictions"] + counters["evictions_half_open"]
        require((evicted > 0) == (self.room is not None), f"{evicted} conversations were evicted")
        for name, wanted in (("packets_received", workload.packets), ("records_not_sent", 0)):
            require(counters[name] == wanted, f"{name} is {counters[name]}, not {wanted}")
        if workload.truth and self.name not in self.truth_seen and self.measures_tcp():
            self.truth_seen.add(self.name)  # the same records in every round
            harness.check_truth(records, workload)

    def measures_tcp(self):
        return "export.track_tcp_performance=false" not in self.settings


class Floor(Contender):
    def __init__(self, bench, kind, name):
        super().__init__(bench, name)
        self.kind, self.is_peer = kind, False

    def command(self, file, entries):
        return [harness.tool("floor", self.bench.tools), self.kind, file, str(entries)]

    def run(self, workload, file, entries):
        with open(self.bench.path("log"), "w+b") as log:
            cost = self.bench.measure(self.command(file.path, entries), log)
            log.seek(0)
            found = harness.json.loads(log.read())
        wanted = {name: workload.facts[name] for name in ("packets", "wire_octets")}
        require({name: found[name] for name in wanted} == wanted, f"{self.name}: {found}, not {wanted}")
        return cost


class Softflowd(Contender):
    def __init__(self, bench):
        super().__init__(bench, "softflowd", "IPFIX over UDP; no TCP figures")
        self.short = {"many": 1_000_000, "imix": 2_000_000}

    def command(self, file, entries):
        return ["softflowd", "-d", "-r", file, "-n", f"127.0.0.1:{PORT}", "-v", "10", "-b", "-6", "-m", "8000000",
                "-c", "none", "-p", self.bench.path("softflowd.pid")]


class Nfpcapd(Contender):
    def __init__(self, bench):
        super().__init__(bench, "nfpcapd", "nfcapd file; no TCP figures")
        self.short = {"many": 3_000_000, "imix": 2_000_000}

    def command(self, file, entries):
        return ["nfpcapd", "-r", file, "-w", self.bench.out, "-e", "300,60", "-B", str(max(524_288, 2 * entries))]

    def run(self, workload, file, entries):
        self.bench.empty()
        cost = super().run(workload, file, entries)
        summary = "".join(
            subprocess.run(["nfdump", "-I", "-r", self.bench.path(name)], capture_output=True, text=True, check=False)
            .stdout for name in sorted(os.listdir(self.bench.out)) if name.startswith("nfcapd")
        )
        packets = sum(int(number) for number in re.findall(r"^Packets: (\d+)", summary, re.M))
        if summary:
            require(packets == file.packets, f"nfpcapd wrote {packets} packets of {file.packets}")
        return cost


class Pmacctd(Contender):
    def __init__(self, bench):
        super().__init__(bench, "pmacctd", "nfprobe, IPFIX over UDP; no TCP figures")
        self.short = {kind: SHORT for kind in SIZES}

    def command(self, file, entries):
        path = self.bench.path("pmacctd.conf")
        if os.path.isdir(self.bench.out):
            with open(path, "w", encoding="ascii") as config:
                config.write(
                    f"pcap_savefile: {file}\nplugins: nfprobe\n"
                    f"nfprobe_receiver: 127.0.0.1:{PORT}\nnfprobe_version: 10\n"
                    f"nfprobe_maxflows: {max(65_536, 2 * entries)}\nplugin_pipe_size: 268435456\n"
                    "plugin_buffer_size: 65536\naggregate: src_host,dst_host,src_port,dst_port,proto,tos\n"
                )
        return ["pmacctd", "-f", path]


class Argus(Contender):
    def __init__(self, bench):
        super().__init__(bench, "argus", "argus file; handshake RTT, loss")
        self.short = {kind: SHORT for kind in SIZES if kind not in ("few", "tcp")}

    def command(self, file, entries):
        return ["argus", "-r", file, "-w", self.bench.path("argus.out")]


class Tshark(Contender):
    def __init__(self, bench):
        super().__init__(bench, "tshark", "-z conv: text; ack_rtt and retransmission analysed")
        self.short = {kind: 100_000 for kind in SIZES}

    def command(self, file, entries):
        return ["tshark", "-n", "-q", "-r", file, "-z", "conv,tcp", "-z", "conv,udp"]


PEERS = {"softflowd": Softflowd, "nfpcapd": Nfpcapd, "pmacctd": Pmacctd, "argus": Argus, "tshark": Tshark}
FLOORS = (
    ("read", "read(), walk over the headers"),
    ("map", "mapped file, the same walk"),
    ("libpcap", "libpcap loop that counts"),
    ("table", "read() and a bare table of the same size"),
)


def probes(bench):
    """One for each program given; with several, named by their folders."""
    programs = bench.options.program or [os.path.join(harness.BUILD, "chompy-probe")]
    names = ["chompy-probe"] if len(programs) == 1 else programs
    return [Probe(bench, program, name, note="IPFIX file; six TCP fields") for program, name in zip(programs, names)]


def full_table(bench):
    """The probe with the table that it has when nobody asks for more: a flood must make do with it."""
    probe = probes(bench)[0]
    probe.name, probe.room = f"{probe.name}, table full", DEFAULT_FLOWS
    probe.note = f"{DEFAULT_FLOWS:,} conversations, each new one sends the oldest half-open one away"
    return probe


def peers(bench):
    wanted = [] if bench.options.peers == "none" else bench.options.peers.split(",")
    made = [PEERS[name](bench) for name in wanted]
    for peer in made:
        if not peer.available():
            print(f"({peer.name} is not installed)\n")
    return [peer for peer in made if peer.available()]


# ---- rounds


class Figures:
    """What the rounds gave for one contender on one workload."""

    def __init__(self, contender, packets):
        self.contender, self.packets, self.costs = contender, packets, []

    def ns(self):
        return [cost.cpu_s / self.packets * 1e9 for cost in self.costs]

    def million_a_second(self):
        return median([self.packets / cost.wall_s / 1e6 for cost in self.costs])

    def rss_mib(self):
        return median([cost.rss_mib for cost in self.costs])

    def ratio_to(self, other):
        """Round by round, so that what disturbed a round cancels out."""
        return median([mine / its for mine, its in zip(self.ns(), other.ns())])


def room_for(workload):
    return max(DEFAULT_FLOWS, workload.records * 5 // 4)


def run_rounds(bench, workload, contenders, rounds):
    files = {}
    for contender in contenders:
        stop = contender.short.get(workload.kind)
        cut = stop is not None and stop < workload.packets
        if cut and stop not in files:
            files[stop] = bench.workload(workload.kind, stop)
        files[contender.name] = files[stop] if cut else workload
    figures = [Figures(contender, files[contender.name].packets) for contender in contenders]
    bench.expect(workload.records)
    for file in {file.path: file for file in files.values()}.values():
        file.warm()
    for number in range(rounds):
        for figure in figures:
            contender = figure.contender
            if contender.short.get(workload.kind) and number >= bench.options.slow_rounds:
                continue
            bench.empty()
            file = files[contender.name]
            figure.costs.append(contender.run(workload, file, contender.room or room_for(file)))
    bench.empty()
    return figures


def files_section(bench):
    print("## Capture files\n")
    summary = []
    for kind in bench.options.workloads.split(","):
        workload = bench.workload(kind)
        ours = probes(bench)
        if kind == "synflood" and workload.records > 2 * DEFAULT_FLOWS:
            ours.append(full_table(bench))
        contenders = ours + [Floor(bench, floor, name) for floor, name in FLOORS] + peers(bench)
        figures = run_rounds(bench, workload, contenders, bench.options.rounds)
        loop = next(f for f in figures if isinstance(f.contender, Floor) and f.contender.kind == "libpcap")
        table = next(f for f in figures if isinstance(f.contender, Floor) and f.contender.kind == "table")
        print(f"### {kind}: {workload.packets:,} packets, {workload.records:,} records\n")
        rows = []
        for figure in figures:
            note = figure.contender.note
            if figure.packets != workload.packets:
                note += f"; the first {figure.packets:,} packets"
            rows.append((figure.contender.name, spread(figure.ns()), f"{figure.ratio_to(loop):.2f}",
                         f"{figure.million_a_second():.2f}", f"{figure.rss_mib():,.0f}", note))
        print_table(("", "CPU ns a packet", "of the libpcap loop", "million packets/s", "peak RSS MiB", ""), rows)
        others = [figure for figure in figures if figure.contender.is_peer]
        for figure in figures[: len(ours)]:
            fastest = min(others, key=lambda other: median(other.ns())) if others else None
            times = f"{1 / figure.ratio_to(fastest):.1f} ({fastest.contender.name})" if fastest else "-"
            summary.append((figure.contender.name, kind, spread(figure.ns()), f"{figure.ratio_to(loop):.2f}",
                            f"{figure.ratio_to(table):.2f}", times))
            gate(bench, kind, figure, loop, fastest)
        if not bench.options.keep:
            workload.remove()
    print("### Summary\n")
    print_table(("", "workload", "CPU ns a packet", "of the libpcap loop", "of the bare table",
                 "cheaper than the fastest peer, times"), summary)


def gate(bench, kind, figure, loop, fastest):
    """Gross regress only: the figures of a shared machine prove no more."""
    limit = bench.options.gate
    if limit is None:
        return
    ratio = figure.ratio_to(loop)
    if ratio > limit:
        bench.failures.append(f"{kind}: {ratio:.1f} times the libpcap loop, {limit} allowed")
    if fastest is not None and figure.ratio_to(fastest) > 1:
        bench.failures.append(f"{kind}: dearer than {fastest.contender.name}")


# ---- growth


def live_resident_mib(bench, probe, flows):
    """Resident memory when a live capture with this table says that it is ready, and what it promised."""
    command = [probe.program, "-interface", "lo", "--set", f"flow.max_flows={flows}", "--set", "capture.workers=1"]
    command += ["--set", "capture.buffer_size_mb=1", "--write-ipfix", bench.path("live.ipfix")]
    with harness.Running(command) as running:
        line = running.wait_for_line("memory fixed from here on")
        with open(f"/proc/{running.pid}/status", encoding="ascii") as file:
            resident = int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024
    return resident, promised_mib(line)


def promised_mib(text):
    return float(re.search(r"flow tables ([0-9.]+) MiB", text).group(1))


def growth_section(bench):
    """The same number of packets over more and more flows, a table just large enough."""
    rows = []
    packets = int(8_000_000 * bench.options.scale)
    probe, table = probes(bench)[0], Floor(bench, "table", "table")
    base, least = live_resident_mib(bench, probe, 16)
    for flows in (1000, 10_000, 100_000, 1_000_000, 4_000_000):
        if flows > packets // 2:
            break
        workload = bench.many(packets, flows)
        workload.warm()
        bench.expect(workload.records)
        figures, floor = Figures(probe, packets), Figures(table, packets)
        for _ in range(bench.options.rounds):
            figures.costs.append(probe.run(workload, workload, flows))
            floor.costs.append(table.run(workload, workload, flows))
        bench.empty()
        resident, promised = live_resident_mib(bench, probe, flows)
        grown = resident - base + least
        rows.append((f"{flows:,}", f"{workload.records:,}", spread(figures.ns()), spread(floor.ns()),
                     f"{figures.rss_mib():,.1f}", f"{promised:,.1f}", f"{grown:,.1f}",
                     f"{promised * 1048576 / flows:,.0f}"))
        if abs(grown - promised) > promised * 0.01 + 4 or figures.rss_mib() > promised + base:
            bench.failures.append(f"growth: {flows} flows took {grown:.1f} MiB, {promised:.1f} promised")
        if not bench.options.keep:
            workload.remove()
    print(f"## Growth\n\n`many` with {packets:,} packets, `flow.max_flows` equal to the flows. A live "
          "capture touches all its memory at start: its growth is what the start-up line must promise. A file touches "
          "what its flows need.\n")
    print_table(("flow.max_flows", "records", "CPU ns a packet", "bare table, ns", "file: peak RSS MiB",
                 "promised MiB", "live: measured MiB", "octets a flow"), rows)


# ---- TCP


def tcp_section(bench):
    workload = bench.workload("tcp")
    program = (bench.options.program or [os.path.join(harness.BUILD, "chompy-probe")])[0]
    kinds = [
        Probe(bench, program, "no TCP metering", ("export.track_tcp_performance=false",)),
        Probe(bench, program, "six fields"),
        Probe(bench, program, "six fields, strict", ("tcp.retransmit_mode=strict",)),
        Probe(bench, program, "extended", ("export.fields=extended",)),
    ]
    figures = run_rounds(bench, workload, kinds, bench.options.rounds)
    rows = []
    for figure in figures:
        added = median([mine - none for mine, none in zip(figure.ns(), figures[0].ns())])
        rows.append((figure.contender.name, spread(figure.ns()), f"{added:+.0f}", f"{figure.rss_mib():,.0f}",
                     f"{figure.contender.promised_mib:,.0f}"))
    print(f"## What TCP metering costs\n\n`tcp`: {workload.packets:,} packets, {workload.records:,} records; the six "
          "fields equal the truth wherever they are exported\n")
    print_table(("", "CPU ns a packet", "against no TCP metering", "peak RSS MiB", "tables promised, MiB"), rows)


# ---- command line

SECTIONS = {"files": files_section, "growth": growth_section, "tcp": tcp_section}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", nargs="*", metavar="SECTION", help="files, growth, tcp; none: all of them")
    parser.add_argument("--program", action="append", help="probe to measure; twice or more compares them")
    parser.add_argument("--tools", help="folder with the bench_* programs; build/release/test/bench if not given")
    parser.add_argument("--work", help="folder that keeps the workloads for the next run, about 4 GB at scale 1")
    parser.add_argument("--workloads", default=",".join(SIZES), help="of the section files")
    parser.add_argument("--peers", default=",".join(PEERS), help="names, or none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=3, help="for peers that read a part")
    parser.add_argument("--scale", type=float, default=1.0, help="of packets and flows")
    parser.add_argument("--gate", type=float, help="fail above so many times the libpcap loop, or behind a peer")
    options = parser.parse_args()
    options.keep = options.work is not None
    unknown = set(options.section) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(unknown)}")
    return options


def main():
    options = arguments()
    harness.enter_private_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench(options)
    # Bound and never read: what peers send over UDP ends here, at no cost for anybody else.
    sink = harness.Sink(PORT)
    try:
        print(f"{harness.machine()}\n")
        for name in options.section or SECTIONS:
            SECTIONS[name](bench)
    except Failure as failure:
        bench.failures.append(str(failure))
    finally:
        sink.close()
        bench.close()
    for text in bench.failures:
        print("FAILED:", text)
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
