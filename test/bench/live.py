#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live capture on a veth pair in private namespaces: the probe beside a program that only walks the ring.

  live.py [SECTION...] [options]
    rates     drops and CPU a packet at rising rates, short and long frames, UDP and TCP, one and two
              workers
    peers     the same of other probes, short frames
    pressure  a full queue, collectors that do not read, a full table: capture must not notice
    path      system calls, allocations and locks of the capturing thread
  Without a section: all.  Prints Markdown, ready for the page of results.  Needs root or user namespaces; `path` needs
  strace.  CPU is what the scheduler says of the threads (/proc/PID/task/*/schedstat), between two moments when nothing
  is on its way.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import harness
from harness import Failure, Running, median, print_table, require

sys.path.insert(1, os.path.join(harness.HERE, "..", "system"))
from probe import Neighbour, ip  # noqa: E402

FLAT_OUT = 0
RATES = f"50000,100000,200000,500000,{FLAT_OUT}"
CASES = "udp-64-1,udp-64-2,udp-1000-1,udp-1000-2,tcp-128-1"  # what, octets of a frame, workers
NEAR = "near0"
CORE_SHARE_MAX = 6.0  # per cent of a core at 500,000 packets a second
RATIO_MAX = 3.0  # CPU a packet, of the walker's


def threads_ns(pid):
    """Nanoseconds on a processor, by name of the thread; user and system clock ticks of all."""
    ns, user, system = {}, 0, 0
    for task in os.listdir(f"/proc/{pid}/task"):
        base = f"/proc/{pid}/task/{task}"
        with open(base + "/comm", encoding="ascii") as file:
            name = file.read().strip()
        with open(base + "/schedstat", encoding="ascii") as file:
            ns[name] = ns.get(name, 0) + int(file.read().split()[0])
        with open(base + "/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        user, system = user + int(fields[11]), system + int(fields[12])
    return ns, user, system


class Run:
    """One burst and what it cost its receiver."""

    def __init__(self, sent, seconds, before, after):
        self.sent, self.seconds = sent, seconds
        self.threads = {name: ns - before[0].get(name, 0) for name, ns in after[0].items()}
        self.cpu_ns = sum(self.threads.values())
        self.ticks = (after[1] - before[1], after[2] - before[2])
        self.received = self.dropped = 0
        self.counters = {}

    def rate(self):
        return self.sent / self.seconds

    def ns_each(self):
        return self.cpu_ns / max(self.received, 1)

    def capture_ns_each(self):
        return sum(ns for name, ns in self.threads.items() if name.startswith("capture-")) / max(self.received, 1)

    def core_percent(self):
        return self.cpu_ns / self.seconds / 1e7


class Bench:
    def __init__(self, options):
        self.options, self.failures, self.missed = options, [], []
        self.program = os.path.realpath(options.program or os.path.join(harness.BUILD, "chompy-probe"))
        self.folder = tempfile.mkdtemp(prefix="chompy-bench-")
        self.neighbour = Neighbour()
        self.sink = harness.Sink(2055)

    def close(self):
        self.sink.close()
        self.neighbour.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def rates(self):
        return [int(rate) for rate in self.options.rates.split(",")]

    def path(self, name):
        return os.path.join(self.folder, name)

    def prefix(self):
        return ["nice", "-n", str(self.options.nice)] + (["taskset", "-c", "1"] if self.options.pin else [])

    def blast(self, rate, octets=64, flows=1000, kind="udp", seconds=None):
        command = [*self.neighbour.enter(), "nice", "-n", str(self.options.nice)]
        command += [harness.tool("blast", self.options.tools), self.neighbour.far, "--rate", str(rate)]
        command += ["--seconds", str(seconds or self.options.seconds), "--octets", str(octets)]
        command += ["--flows", str(flows), "--kind", kind] + (["--cpu", "0"] if self.options.pin else [])
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    def burst(self, running, *load, meanwhile=None, look_s=0.15, **more):
        before = threads_ns(running.pid)
        if meanwhile:
            meanwhile(running)
        sent = self.blast(*load, **more)
        settle(running.pid, look_s)
        after = threads_ns(running.pid)
        return Run(sent["sent"], sent["seconds"], before, after)

    def walker(self, workers, *load, **more):
        with open(self.path("walk"), "w+b") as out:
            command = [harness.tool("ring_walk", self.options.tools), NEAR, "--workers", str(workers)]
            with Running(command, self.prefix(), out=out) as running:
                running.wait_for_line("ready")
                run = self.burst(running, *load, **more)
            out.seek(0)
            said = json.loads(out.read())
        return self.accounted(run, said["packets"], said["drops"], "the walker")

    def probe(self, workers, *load, settings=(), collector="127.0.0.1:2055", env=None, meanwhile=None, **more):
        counters = self.path("counters.json")
        command = [self.program, "-interface", NEAR, "--counters", counters]
        command += ["--set", f"capture.workers={workers}"]
        command += ["--set", f"export.collectors={collector}"] if "://" in collector else ["-collector", collector]
        for setting in settings:
            command += ["--set", setting]
        with Running(command, self.prefix(), env=env) as running:
            running.wait_for_line("memory fixed from here on")
            run = self.burst(running, *load, meanwhile=meanwhile, **more)
            status = running.stop()
        require(status in (0, 1), f"the probe ended with status {status}")
        with open(counters, encoding="ascii") as file:
            run.counters = json.load(file)
        count = run.counters
        kept = count["packets_metered"] + sum(count["packets_discarded"].values())
        require(kept == count["packets_received"], "packets received and packets metered or discarded differ")
        return self.accounted(run, count["packets_received"], count["packets_dropped"], "the probe")

    def accounted(self, run, received, dropped, who):
        """Nothing but the burst travels on this wire, so every packet sent was received or dropped."""
        run.received, run.dropped = received, dropped
        require(abs(run.received + dropped - run.sent) <= 4,
                f"{who} got {received} and lost {dropped} of {run.sent} packets")
        return run


def settle(pid, look_s):
    """Until a burst has been read: two looks, longer apart than a reader waits, and next to nothing done between."""
    last = sum(threads_ns(pid)[0].values())
    for _ in range(50):
        time.sleep(look_s)
        now = sum(threads_ns(pid)[0].values())
        if now - last < 3_000_000:
            return
        last = now


def rate_name(rate):
    return "flat out" if rate == FLAT_OUT else f"{rate:,}"


def lost(runs):
    """Per cent of the packets of all runs, and of how many runs."""
    dropped, sent = sum(run.dropped for run in runs), sum(run.sent for run in runs)
    return "0" if dropped == 0 else f"{dropped:,} ({100 * dropped / sent:.2f} %)"


def split(runs):
    """User and system time a packet: the scheduler's total, in the ratio of the ticks of all runs."""
    user, system = (sum(run.ticks[k] for run in runs) for k in (0, 1))
    total = median([run.ns_each() for run in runs])
    if user + system == 0:
        return f"{total:.0f}"
    return f"{total:.0f} ({total * user / (user + system):.0f} + {total * system / (user + system):.0f})"


# ---- rates


def rates_section(bench):
    rows = []
    for case in bench.options.cases.split(","):
        kind, octets, workers = re.fullmatch(r"(udp|tcp|syn)-(\d+)-(\d+)", case).groups()
        for rate in bench.rates():
            walked, probed = [], []
            for _ in range(bench.options.pairs):
                walked.append(bench.walker(workers, rate, octets, kind=kind))
                probed.append(bench.probe(workers, rate, octets, kind=kind))
            ratio = median([mine.ns_each() / its.ns_each() for mine, its in zip(probed, walked)])
            share = median([run.core_percent() for run in probed])
            rows.append((f"{kind.upper()}, {octets} octets, {workers} worker{'s' if workers != '1' else ''}",
                         rate_name(rate), f"{median([run.rate() for run in probed]):,.0f}", lost(walked), lost(probed),
                         split(walked), split(probed), f"{ratio:.1f}", f"{share:.1f} %"))
            judge(bench, rows[-1], rate, walked, probed, ratio, share)
    print(f"## Live, beside a bare walk over the ring\n\n1,000 flows, {bench.options.seconds:g} s, medians of "
          f"{bench.options.pairs} pairs; CPU of all threads\n")
    print_table(("frames", "offered packets/s", "sent packets/s", "walker lost", "probe lost",
                 "walker: CPU ns a packet (user + system)", "probe: CPU ns a packet (user + system)", "ratio",
                 "probe: of one core"), rows)


def judge(bench, row, rate, walked, probed, ratio, share):
    where = f"{row[0]} at {row[1]}"
    drops = [median([run.dropped / run.sent for run in runs]) for runs in (walked, probed)]
    if drops[1] > drops[0]:
        bench.missed.append(f"{where}: the probe lost {100 * drops[1]:.2f} %, the walker {100 * drops[0]:.2f} %")
    if ratio > RATIO_MAX:
        bench.missed.append(f"{where}: {ratio:.1f} times the walker's CPU a packet, {RATIO_MAX} allowed")
    if rate == 500_000 and share > CORE_SHARE_MAX:
        bench.missed.append(f"{where}: {share:.1f} % of a core, {CORE_SHARE_MAX} allowed")


# ---- peers


def softflowd(bench):
    control = bench.path("softflowd.ctl")
    command = ["softflowd", "-d", "-i", NEAR, "-n", "127.0.0.1:2055", "-v", "10", "-b", "-6", "-m", "100000"]
    command += ["-c", control, "-p", bench.path("softflowd.pid")]

    def said(_):
        text = subprocess.run(["softflowctl", "-c", control, "statistics"], capture_output=True, text=True,
                              check=False).stdout
        return int(re.search(r"Packets processed: (\d+)", text).group(1))

    return command, said, None


def nfpcapd(bench):
    command = ["nfpcapd", "-i", NEAR, "-w", bench.folder, "-e", "300,60"]

    def written():
        files = [bench.path(name) for name in os.listdir(bench.folder) if name.startswith("nfcapd")]
        text = "".join(subprocess.run(["nfdump", "-I", "-r", file], capture_output=True, text=True, check=False).stdout
                       for file in files)
        for file in files:
            os.unlink(file)
        return sum(int(number) for number in re.findall(r"^Packets: (\d+)", text, re.M))

    return command, None, written


def argus(bench):
    out = bench.path("argus.out")

    def written():
        text = subprocess.run(["racount", "-r", out], capture_output=True, text=True, check=False).stdout
        os.unlink(out)
        found = re.search(r"^\s*sum\s+\d+\s+(\d+)", text, re.M)
        return int(found.group(1)) if found else None

    return ["argus", "-i", NEAR, "-w", out], None, written


PEERS = {"softflowd": softflowd, "nfpcapd": nfpcapd, "argus": argus}
COUNTERS = {"softflowd": "softflowctl", "nfpcapd": "nfdump", "argus": "racount"}  # what says how much they saw


def peer_run(bench, make, rate):
    command, said, written = make(bench)
    with Running(command, bench.prefix(), log=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 10
        while not packet_socket_there() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.5)  # it has a socket; nobody says when it reads
        run = bench.burst(running, rate, look_s=1.2)  # libpcap hands over after a second at the latest
        run.received = said(running) if said else 0
    if written:
        run.received = written()
    if run.received is not None:
        run.dropped = run.sent - run.received
    return run


def packet_socket_there():
    with open("/proc/self/net/packet", encoding="ascii") as table:
        return len(table.readlines()) > 1


def peers_section(bench):
    rows = []
    names = [name for name in PEERS if shutil.which(name) and shutil.which(COUNTERS[name])]
    for rate in bench.rates():
        contenders = {"chompy-probe": lambda: bench.probe(1, rate)}
        for name in names:
            contenders[name] = lambda name=name: peer_run(bench, PEERS[name], rate)
        runs = {name: [] for name in contenders}
        for _ in range(bench.options.peer_rounds):
            for name, run in contenders.items():
                runs[name].append(run())
        for name, its in runs.items():
            known = all(run.received for run in its)
            each = median([run.cpu_ns / (run.received or run.sent) for run in its])
            rows.append((name, rate_name(rate), f"{median([run.rate() for run in its]):,.0f}",
                         lost(its) if known else "not known", f"{each:,.0f}",
                         f"{median([run.core_percent() for run in its]):.1f} %"))
    print(f"## Live, beside other probes\n\n64 octets, 1,000 UDP flows, {bench.options.seconds:g} s, medians of "
          f"{bench.options.peer_rounds} rounds; lost is what is missing in what the program says that it counted\n")
    print_table(("", "offered packets/s", "sent packets/s", "lost", "CPU ns a packet counted", "of one core"), rows)


# ---- pressure


def blocked_route():
    """A way out on which nothing goes through: datagrams stay in the queue and their socket's buffer stays full."""
    ip("link", "add", "tight0", "type", "veth", "peer", "name", "tight1")
    for command in (("addr", "add", "10.8.0.1/24", "dev", "tight0"), ("link", "set", "tight0", "up"),
                    ("link", "set", "tight1", "up"),
                    ("neigh", "replace", "10.8.0.2", "lladdr", "02:00:00:00:00:02", "dev", "tight0")):
        ip(*command)
    subprocess.run(["tc", "qdisc", "replace", "dev", "tight0", "root", "tbf", "rate", "8kbit", "burst", "2000",
                    "limit", "100mb"], check=True, capture_output=True)


def pressure_section(bench):
    blocked_route()
    deaf = socket.socket()  # accepts in the kernel, never reads
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(4)
    rate = bench.options.pressure_rate
    busy = ("export.active_timeout=200ms", "export.inactive_timeout=100ms")
    flood = {"kind": "syn", "flows": 65_536}
    cases = [
        ("nothing", {}),
        ("records without end, collector reads", {"settings": busy, "flows": 20_000}),
        ("the same, TCP collector that never reads",
         {"settings": busy, "flows": 20_000, "collector": f"tcp://127.0.0.1:{deaf.getsockname()[1]}"}),
        ("the same, UDP that goes nowhere", {"settings": busy, "flows": 20_000, "collector": "10.8.0.2:2055"}),
        ("SYN flood, table of 4,096 at its limit", {"settings": ("flow.max_flows=4096",), **flood}),
        ("the same, queue of 64 records",
         {"settings": ("flow.max_flows=4096", "export.queue_records=64"), **flood}),
    ]
    rows = []
    for name, case in cases:
        runs = [bench.probe(1, rate, **case) for _ in range(bench.options.peer_rounds)]
        last = runs[-1].counters
        rows.append((name, lost(runs), f"{median([run.capture_ns_each() for run in runs]):.0f}",
                     f"{median([run.ns_each() for run in runs]):.0f}", f"{last['records']:,}",
                     f"{last['records_not_sent']:,}", f"{last['send_busy']:,}",
                     f"{last['evictions'] + last['evictions_half_open']:,}"))
        if any(run.dropped for run in runs):
            bench.failures.append(f"{name}: {lost(runs)} packets lost")
    deaf.close()
    ip("link", "del", "tight0")
    print(f"## Under pressure\n\n{rate:,} packets/s of 64 octets, one worker, {bench.options.seconds:g} s, medians of "
          f"{bench.options.peer_rounds} rounds; counters of the last\n")
    print_table(("under pressure", "packets lost", "capture thread: CPU ns a packet", "all threads", "records",
                 "records not sent", "socket full, times", "evictions"), rows)


# ---- path


def traced(bench):
    """System calls of the capturing thread during a burst, by strace."""
    found = {}

    def attach(running):
        thread = next(task for task in os.listdir(f"/proc/{running.pid}/task") if thread_name(running.pid, task))
        found["strace"] = subprocess.Popen(["strace", "-c", "-p", thread, "-o", bench.path("strace")],
                                           stderr=subprocess.PIPE)
        found["strace"].stderr.readline()  # says that it is attached

    run = bench.probe(1, 500_000, meanwhile=attach)
    found["strace"].wait(20)
    with open(bench.path("strace"), encoding="ascii") as file:
        calls = {}
        for line in file:
            row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
            if row and row.group(2) != "total":
                calls[row.group(2)] = int(row.group(1))
    return run, calls


def thread_name(pid, task):
    with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as file:
        return file.read().startswith("capture-")


def counted(bench, seconds):
    """Allocations and locks of the capturing thread in its whole life, and how many packets it took."""
    report = bench.path("calls.json")
    folder = bench.options.tools or os.path.join(harness.BUILD, "test", "bench")
    library = os.path.join(folder, "libbench_call_counter.so")
    require(os.path.exists(library), f"{library} is not there: build the target bench")
    environment = {**os.environ, "LD_PRELOAD": os.path.realpath(library), "CALL_COUNTER_FILE": report}
    run = bench.probe(1, 200_000, env=environment, seconds=seconds, settings=("export.active_timeout=500ms",))
    with open(report, encoding="ascii") as file:
        calls = json.load(file)
    require(len(calls) > 1, f"the counting library saw one thread only: {calls}")
    return run, calls.get("capture-0", {"allocations": 0, "locks": 0})


def path_section(bench):
    run, calls = traced(bench)
    each = sum(calls.values()) / run.received
    named = ", ".join(f"{name} {number:,}" for name, number in sorted(calls.items(), key=lambda call: -call[1]))
    total = f"{sum(calls.values()):,} ({named})"
    rows = [("system calls, 500,000 packets/s", f"{run.received:,}", total, f"{each:.5f}")]
    if each >= 0.01:
        bench.failures.append(f"{each:.4f} system calls a packet, fewer than 0.01 allowed")
    short, long = counted(bench, 1), counted(bench, 4)
    for what in ("allocations", "locks"):
        for run, calls in (short, long):
            rows.append((f"{what} in the thread's life", f"{run.received:,}", f"{calls[what]:,}", ""))
        if long[1][what] > short[1][what]:
            bench.failures.append(f"{what}: {short[1][what]} in a short run, {long[1][what]} in a long one")
    print("## Calls of the capturing thread\n")
    print_table(("", "packets", "calls", "a packet"), rows)


# ---- command line

SECTIONS = {"rates": rates_section, "peers": peers_section, "pressure": pressure_section, "path": path_section}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", nargs="*", metavar="SECTION", help="rates, peers, pressure, path; none: all")
    parser.add_argument("--program", help="probe to measure")
    parser.add_argument("--tools", help="folder with the bench_* programs; build/release/test/bench if not given")
    parser.add_argument("--rates", default=RATES, help="packets a second, 0 is flat out; %(default)s")
    parser.add_argument("--cases", default=CASES, help="of the section rates: what-octets-workers; %(default)s")
    parser.add_argument("--seconds", type=float, default=2, help="of a burst")
    parser.add_argument("--pairs", type=int, default=5, help="of walker and probe")
    parser.add_argument("--peer-rounds", type=int, default=3)
    parser.add_argument("--pressure-rate", type=int, default=200_000)
    parser.add_argument("--pin", action="store_true", help="sender on CPU 0, receiver on CPU 1")
    parser.add_argument("--nice", type=int, default=0, help="of sender and receiver; below 0 on a machine in use")
    options = parser.parse_args()
    unknown = set(options.section) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(unknown)}")
    return options


def main():
    options = arguments()
    harness.enter_private_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench(options)
    try:
        print(f"{harness.machine()}\n")
        for name in options.section or SECTIONS:
            SECTIONS[name](bench)
    except Failure as failure:
        bench.failures.append(str(failure))
    finally:
        bench.close()
    for text in bench.missed:
        print("Target missed:", text)
    for text in bench.failures:
        print("FAILED:", text)
    return 1 if bench.failures or bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
