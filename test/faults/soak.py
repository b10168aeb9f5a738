#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program for minutes under full load while everything around it changes.

  soak.py PROGRAM [--minutes N] [--rate PPS] [--seed S] [--tools FOLDER]

Traffic at the highest rate that is loss-free here goes over a pair of interfaces between two namespaces; IPFIX goes by
UDP and by TCP to collectors of this script, which hold every message against RFC 7011.  At seeded times the settings
are read again, good ones and bad ones, collectors die and come back, the interface goes down, away and comes anew, SYNs
flood, the wall clock jumps, the process is stopped for a second.  At the end the accounting identity must be exact,
sequence numbers right, memory, descriptors and threads what they were, and SIGTERM must be over in 10 seconds.
"""

import argparse
import json
import mmap
import os
import random
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import harness
import probe
from harness import Miss, require, until

UDP_PORT, TCP_PORT, DEAD_PORT = 4739, 4740, 4741
CALM = 3.0  # seconds between two events, on average

# ---- the collectors


class Session:
    """One Transport Session: templates and sequence numbers as RFC 7011 wants them (3.1, 8, 10.3)."""

    def __init__(self, reliable, report):
        self.reliable, self.report, self.templates, self.expected = reliable, report, {}, {}
        self.messages = self.records = self.faults = 0

    def fault(self, text):
        self.faults += 1
        if self.faults <= 5:
            self.report(f"message {self.messages} of a session: {text}")

    def message(self, data):
        version, length, _, sequence, domain = struct.unpack_from("!HHIII", data)
        if version != 10 or length != len(data):
            return self.fault(f"version {version}, length {length} of {len(data)}")
        expected = self.expected.get(domain)
        if self.messages == 0:
            # Whoever joins late cannot know; a stream begins at 0.
            expected = 0 if self.reliable or sequence == 0 else sequence
        if expected is not None and sequence != expected:
            self.fault(f"sequence number {sequence}, expected {expected}")
        at, records, known = 16, 0, True
        while at < length:
            number, size = struct.unpack_from("!HH", data, at)
            if size < 4 or at + size > length:
                return self.fault(f"set {number} of {size} octets")
            if number in (2, 3):
                self.learn(data, at + 4, at + size, number == 3)
            elif number in self.templates:
                records += self.count(self.templates[number], data, at + 4, at + size)
            elif number >= 256:
                known = False
                if self.reliable or self.templates:
                    self.fault(f"set {number} before its template")
            else:
                self.fault(f"set id {number}")
            at += size
        self.messages += 1
        self.records += records
        self.expected[domain] = (sequence + records) % 2**32 if known else None
        return None

    def learn(self, data, at, end, options):
        while end - at >= 4:
            number, count = struct.unpack_from("!HH", data, at)
            at += 4
            if count == 0:
                self.templates.pop(number, None)
                continue
            at += 2 if options else 0
            sizes = []
            for _ in range(count):
                element, size = struct.unpack_from("!HH", data, at)
                at += 8 if element & 0x8000 else 4
                sizes.append(size)
            # Over UDP a template may be given anew (8.4), over TCP not before it was withdrawn (8.1).
            if self.reliable and self.templates.get(number, sizes) != sizes:
                self.fault(f"template {number} changed")
            self.templates[number] = sizes

    def count(self, sizes, data, at, end):
        if 65535 not in sizes:
            return (end - at) // sum(sizes)
        records, least = 0, sum(1 if size == 65535 else size for size in sizes)
        while end - at >= least:
            for size in sizes:
                if size == 65535:
                    size, at = data[at], at + 1
                    if size == 255:
                        size, at = struct.unpack_from("!H", data, at)[0], at + 2
                at += size
            records += 1
        return records


def collect_udp(stopping, report):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    s.bind(("127.0.0.1", UDP_PORT))
    s.settimeout(0.2)
    sessions = {}
    while True:
        try:
            data, sender = s.recvfrom(65536)
        except TimeoutError:
            if stopping():
                return sessions, dropped(UDP_PORT)
            continue
        session = sessions.get(sender)
        if session is None:
            session = sessions[sender] = Session(False, report)
        session.message(data)


def dropped(port):
    """What the collector's own socket lost."""
    with open("/proc/net/udp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(int(row[-1]) for row in rows if row[1].endswith(f":{port:04X}"))


def collect_tcp(stopping, report):
    listener = socket.create_server(("127.0.0.1", TCP_PORT))
    listener.settimeout(0.2)
    sessions, open_ones = {}, []

    def serve(connection, session):
        buffer = b""
        while True:
            try:
                chunk = connection.recv(1 << 18)
            except OSError:
                chunk = b""
            if not chunk:
                break
            buffer += chunk
            while len(buffer) >= 16:
                length = int.from_bytes(buffer[2:4], "big")
                if length < 16:
                    return session.fault(f"message of {length} octets")
                if len(buffer) < length:
                    break
                session.message(buffer[:length])
                buffer = buffer[length:]
        return connection.close()

    while not stopping():
        try:
            connection, sender = listener.accept()
        except TimeoutError:
            continue
        sessions[sender] = Session(True, report)
        open_ones.append(threading.Thread(target=serve, args=(connection, sessions[sender]), daemon=True))
        open_ones[-1].start()
    # The program has ended, or this collector must go: what came is read.
    for thread in open_ones:
        thread.join(2)
    return sessions, 0


class Collector:
    """A process, so that it can be killed, and so that it keeps up."""

    def __init__(self, collect):
        self.collect = collect
        self.starts, self.pid = 0, None
        self.sessions = self.records = self.messages = self.lost = 0
        self.faults = []

    def start(self):
        self.starts += 1
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            ending = []
            signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.close(self.reader)

            def say(**what):
                os.write(writer, json.dumps(what).encode() + b"\n")

            try:
                sessions, lost = self.collect(lambda: ending, lambda text: say(fault=text))
                say(sessions=[[s.messages, s.records] for s in sessions.values()], lost=lost)
            except Exception as error:
                say(fault=f"the collector broke: {error!r}")
            finally:
                os._exit(0)
        os.close(writer)

    def end(self, number):
        """Ends it and adds up what it said; one that is killed has told its faults alone."""
        os.kill(self.pid, number)
        said = b""
        while chunk := os.read(self.reader, 1 << 20):
            said += chunk
        os.waitpid(self.pid, 0)
        os.close(self.reader)
        self.pid = None
        for found in map(json.loads, said.splitlines()):
            self.faults += [found["fault"]] if "fault" in found else []
            self.lost += found.get("lost", 0)
            for messages, records in found.get("sessions", ()):
                self.sessions, self.messages = self.sessions + 1, self.messages + messages
                self.records += records


# ---- the traffic


class Traffic:
    """bench_blast in the other namespace, started again whenever it ends."""

    def __init__(self, tools, enter, rate):
        self.command = [*enter, os.path.join(tools, "bench", "bench_blast"), "far0"]
        self.rate, self.stopping, self.process = rate, False, None
        self.thread = threading.Thread(target=self.keep_on, daemon=True)
        self.thread.start()

    def keep_on(self):
        while not self.stopping:
            self.process = subprocess.Popen(
                [
                    *self.command,
                    "--rate",
                    str(self.rate),
                    "--seconds",
                    "100",
                    "--kind",
                    "tcp",
                    "--flows",
                    "2000",
                    "--octets",
                    "128",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.process.wait()
            time.sleep(0.05)  # the interface is away

    def again(self):
        """A sender is bound to the interface that it knew."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def flood(self, rate, seconds):
        subprocess.run(
            [*self.command, "--rate", str(rate), "--seconds", str(seconds), "--kind", "syn", "--flows", "1000"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )

    def stop(self):
        self.stopping = True
        self.again()
        self.thread.join(5)


class Soak:
    def __init__(self, options, folder):
        self.options, self.chance = options, random.Random(options.seed)
        self.t = harness.Context(os.path.abspath(options.program), os.path.abspath(options.tools), folder, True)
        self.counts, self.samples, self.misses = {}, [], []
        self.clock_file = open(self.t.path("clock", bytes(8)), "r+b")
        self.clock = mmap.mmap(self.clock_file.fileno(), 8)
        self.udp, self.tcp = Collector(collect_udp), Collector(collect_tcp)
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.holder.stdout.readline()
        self.enter = ("nsenter", "--target", str(self.holder.pid), "--net")
        self.settings, self.running = self.base(), None
        self.began = time.monotonic()

    # -- settings

    @staticmethod
    def base():
        return {
            "capture.bpf_filter": "''",
            "export.active_timeout": "5s",
            "export.inactive_timeout": "2s",
            "tcp.close_linger": "1s",
            "export.fields": "standard",
            "export.template_messages": "100",
            "export.collectors": f"['udp://127.0.0.1:{UDP_PORT}', 'tcp://127.0.0.1:{TCP_PORT}']",
            "export.template_interval": "5s",
            "log.statistics_interval": "10s",
        }

    def write(self, text=None):
        if text is None:
            blocks = {}
            for key, value in self.settings.items():
                block, name = key.split(".")
                blocks.setdefault(block, []).append(f"  {name}: {value}\n")
            text = "".join(f"{block}:\n{''.join(lines)}" for block, lines in blocks.items())
        # All at once, as an editor does it.
        path = self.t.path("new.yaml", text)
        os.rename(path, self.t.path("soak.yaml"))

    def reload(self, **_):
        before = len(self.running.log_lines())
        self.write()
        self.running.reload()
        until("a word about a reload", lambda: len(self.running.log_lines()) > before, 20)

    # -- the network

    def link(self):
        probe.ip("link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", str(self.holder.pid))
        probe.ip("link", "set", "near0", "addrgenmode", "none", "up")
        subprocess.run([*self.enter, "ip", "link", "set", "far0", "addrgenmode", "none", "up"], check=True)

    def captured(self):
        until("a ring on the interface", lambda: probe.packet_sockets("near0") > 0, 20)

    # -- events

    def reload_filter(self):
        self.settings["capture.bpf_filter"] = self.chance.choice(["''", "tcp", "tcp or udp", "'port 443 and tcp'"])
        self.reload()

    def reload_timeouts(self):
        self.settings["export.active_timeout"] = self.chance.choice(["3s", "5s", "7s"])
        self.settings["export.inactive_timeout"] = self.chance.choice(["1s", "2s", "4s"])
        self.reload()

    def reload_fields(self):
        fields = ["standard", "[standard, flowEndReason, flowId]", "[standard, vlanId, minimumTTL]"]
        self.settings["export.fields"] = self.chance.choice(fields)
        self.reload()

    def reload_collectors(self):
        both = [f"'udp://127.0.0.1:{UDP_PORT}'", f"'tcp://127.0.0.1:{TCP_PORT}'"]
        dead = [f"'udp://127.0.0.1:{DEAD_PORT}'", f"'tcp://127.0.0.1:{DEAD_PORT}'"]
        some = self.chance.choice([both, both[:1], both[1:], both + dead, both + dead[1:]])
        self.settings["export.collectors"] = f"[{', '.join(some)}]"
        self.reload()

    def reload_bad(self):
        before = len(self.running.log_lines())
        self.write(
            self.chance.choice(
                [
                    ",",
                    "export: [",
                    "export:\n  fields: nonsense\n",
                    "capture:\n  bpf_filter: 'tcp prot'\n",
                    "a: &a [*a]\n",
                    "export:\n  domain_id: -1\n",
                    "# only\n,\n",
                ]
            )
        )
        self.running.reload()
        until("a word about bad settings", lambda: len(self.running.log_lines()) > before, 20)
        self.write()

    def udp_killed(self):
        self.udp.end(signal.SIGKILL)
        time.sleep(self.chance.uniform(0.2, 1.5))
        self.udp.start()

    def tcp_killed(self):
        self.tcp.end(signal.SIGKILL)
        time.sleep(self.chance.uniform(0.2, 1.5))
        self.tcp.start()

    def link_down(self):
        probe.ip("link", "set", "near0", "down")
        time.sleep(self.chance.uniform(0.1, 1.0))
        probe.ip("link", "set", "near0", "up")
        self.captured()

    def link_anew(self):
        probe.ip("link", "del", "near0")
        time.sleep(self.chance.uniform(0.1, 1.0))
        self.link()
        self.traffic.again()
        self.captured()

    def syn_flood(self):
        self.traffic.flood(20_000, 1.0)

    def clock_step(self):
        step = self.chance.choice([3600, -3600, 2, -2, 86_400, -86_400, 0])
        self.clock[:] = struct.pack("q", step * 10**9)

    def stop_and_go_on(self):
        self.running.send(signal.SIGSTOP)
        time.sleep(1)
        self.running.send(signal.SIGCONT)

    EVENTS = (
        "reload_filter",
        "reload_timeouts",
        "reload_fields",
        "reload_collectors",
        "reload_bad",
        "udp_killed",
        "tcp_killed",
        "link_down",
        "link_anew",
        "syn_flood",
        "clock_step",
        "stop_and_go_on",
    )

    # -- the course of it

    def statistics(self):
        """The counters of the log's newest line."""
        self.running.answers(10)
        line = [line for line in self.running.log().splitlines() if " statistics: " in line][-1]
        return {
            k: int(v) for k, v in (word.split("=") for word in line.split(" statistics: ")[1].split() if "=" in word)
        }

    def loss_free_rate(self):
        """The highest of some rates at which nothing is dropped, less a fifth."""
        best, seconds = 20_000, 2 if self.options.minutes < 5 else 4  # longer than the ring can swallow
        for rate in (40_000, 80_000, 120_000, 180_000, 270_000, 400_000, 600_000):
            before = self.statistics().get("packets_dropped", 0)
            blast = [
                *self.enter,
                os.path.join(self.options.tools, "bench", "bench_blast"),
                "far0",
                "--rate",
                str(rate),
                "--seconds",
                str(seconds),
                "--kind",
                "tcp",
                "--flows",
                "2000",
                "--octets",
                "128",
            ]
            sent = json.loads(subprocess.run(blast, stdout=subprocess.PIPE, check=True).stdout)
            time.sleep(0.3)
            if self.statistics().get("packets_dropped", 0) > before or sent["sent"] < 0.95 * rate * seconds:
                break
            best = rate
        return best * 4 // 5

    def sample(self):
        pid = self.running.pid
        self.samples.append(
            (time.monotonic() - self.began, harness.rss_mib(pid), harness.descriptors(pid), harness.threads(pid))
        )
        moment, rss, descriptors, threads = self.samples[-1]
        print(f"{moment:7.1f} s  RSS {rss:7.1f} MiB  {descriptors:3} descriptors  {threads:2} threads", flush=True)
        return self.samples[-1]

    def start(self):
        probe.ip("link", "set", "lo", "up")
        self.link()
        self.udp.start()
        self.tcp.start()
        self.write()
        shim = os.path.join(self.t.tools, "faults", "libfaults_clock.so")
        require(os.path.exists(shim), f"{shim} is not there: cmake --build --preset release --target faults")
        self.running = self.t.start(
            "-interface",
            "near0",
            "-config",
            self.t.path("soak.yaml"),
            "--counters",
            self.t.path("counters.json"),
            "--output",
            "none",
            "--set",
            "capture.workers=2",
            env={"LD_PRELOAD": shim, "FAULTS_CLOCK": self.t.path("clock")},
        ).ready()

    def settle(self):
        """As at the beginning, everything there; then what is held is compared."""
        self.settings = self.base()
        self.clock[:] = bytes(8)
        self.reload()
        self.captured()
        time.sleep(4)
        return self.sample()

    def run(self):
        self.start()
        rate = self.options.rate or self.loss_free_rate()
        self.traffic = Traffic(self.options.tools, self.enter, rate)
        print(f"seed {self.options.seed}, {rate} packets a second, {self.options.minutes:g} minutes", flush=True)
        # Warm: each kind of event has been once, or a quarter of the time is over.
        order = list(self.EVENTS)
        self.chance.shuffle(order)
        end, first, sampled = time.monotonic() + self.options.minutes * 60, None, time.monotonic()
        warm = time.monotonic() + min(60.0, self.options.minutes * 15)
        while time.monotonic() < end - 6:
            name = order.pop() if order else self.chance.choice(self.EVENTS)
            self.counts[name] = self.counts.get(name, 0) + 1
            try:
                getattr(self, name)()
            except Miss as miss:
                raise Miss(f"{name} at {time.monotonic() - self.began:.1f} s: {miss}") from None
            require(self.running.alive(), f"{name}: ended: {self.running.done and self.running.done.said()}")
            time.sleep(
                self.chance.expovariate(1 / CALM) if self.options.minutes > 2 else self.chance.uniform(0.1, CALM)
            )
            if time.monotonic() > sampled + 10:
                self.sample()
                sampled = time.monotonic()
            if first is None and time.monotonic() > warm:
                first = self.settle()
        last = self.settle()
        self.judge_growth(first or last, last)
        self.finish()

    def judge_growth(self, first, last):
        for what, before, after, more in (
            ("RSS", first[1], last[1], 8),
            ("descriptors", first[2], last[2], 2),
            ("threads", first[3], last[3], 1),
        ):
            if after > before + more:
                self.misses.append(f"{what} went from {before:.0f} to {after:.0f}")
        third = len(self.samples) // 3
        if third >= 10:
            middle, end = (
                statistics.median(sample[1] for sample in part)
                for part in (self.samples[third : 2 * third], self.samples[2 * third :])
            )
            if end > middle + 4:
                self.misses.append(f"RSS grows: {middle:.1f} MiB in the second third, {end:.1f} MiB in the last")

    def finish(self):
        self.traffic.stop()
        began = time.monotonic()
        done = self.running.stop(10)
        seconds = time.monotonic() - began
        self.udp.end(signal.SIGTERM)
        self.tcp.end(signal.SIGTERM)
        counters = self.t.counters()
        if done.status:
            self.misses.append(f"status {done.status}: {done.said()}")
        difference = harness.identity(counters)
        if difference:
            self.misses.append(f"the identity is broken by {difference}")
        for words in ("this is a bug", "does not end"):
            if words in done.err:
                self.misses.append(next(line for line in done.lines() if words in line)[-200:])
        for name, collector in (("UDP", self.udp), ("TCP", self.tcp)):
            print(
                f"{name} collector: {collector.starts} lives, {collector.sessions} sessions,"
                f" {collector.messages} messages, {collector.records} records in its last"
            )
            if collector.lost:
                self.misses.append(f"the {name} collector itself lost {collector.lost} datagrams")
            if collector.faults:
                self.misses.append(f"{name}: {len(collector.faults)} faults, first: {collector.faults[0]}")
            if collector.records == 0:
                self.misses.append(f"{name}: no record came")
        print("events: " + ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items())))
        print(
            f"end in {seconds:.1f} s; {counters['packets_received']} packets, {counters['packets_dropped']} dropped, "
            f"{counters['records_sent']} records sent, {counters['records_not_sent']} not, identity {difference}"
        )

    def close(self):
        self.t.close()
        for collector in (self.udp, self.tcp):
            if collector.pid:
                collector.end(signal.SIGKILL)
        self.holder.stdin.close()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--rate", type=int, help="packets a second; default: the highest that is loss-free")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tools", help="the build's folder `test`; default: beside the program")
    options = parser.parse_args()
    options.tools = options.tools or os.path.join(os.path.dirname(os.path.abspath(options.program)), "test")
    return options


def main():
    options = arguments()
    if not os.environ.get("CHOMPY_SOAK_INSIDE"):
        os.environ["CHOMPY_SOAK_INSIDE"] = "yes"
        import run

        os.execvp("unshare", ["unshare", *run.namespaces(), sys.executable, "-B", *sys.argv])
    folder = tempfile.mkdtemp(prefix="chompy-soak-")
    soak = Soak(options, folder)
    try:
        soak.run()
    except Miss as miss:
        soak.misses.append(str(miss))
        if soak.running:
            print("\n".join(soak.running.log_lines()[-5:]))
    finally:
        if hasattr(soak, "traffic"):
            soak.traffic.stop()
        soak.close()
        shutil.rmtree(folder, ignore_errors=True)
    for miss in soak.misses:
        print("MISS:", miss)
    print("soak: " + ("missed" if soak.misses else "ok"), flush=True)
    os._exit(1 if soak.misses else 0)


if __name__ == "__main__":
    main()
