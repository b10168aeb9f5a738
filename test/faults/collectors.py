# SPDX-License-Identifier: Apache-2.0
"""Collectors that cannot be found, reached or relied on: signals are heard, the log says why, the books are right."""

import os
import socket
import struct
import subprocess
import threading
import time

import harness
import probe
from harness import CONFIGURATION, FAILURE, FOREVER, Manager, ipfix, require, test, until

RESET = struct.pack("ii", 1, 0)  # of SO_LINGER: close sends a reset

# ---- names


class Names:
    """The only name server there is.  `mode`: silent, refuses (SERVFAIL), absent (NXDOMAIN), or right (127.0.0.1)."""

    def __init__(self, t, mode):
        t.loopback()
        for path, text in (
            ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"),
            ("nsswitch.conf", "hosts: files dns\n"),
            ("hosts", "127.0.0.1 localhost\n"),
        ):
            subprocess.run(
                ["mount", "--bind", t.path(path, text), os.path.realpath("/etc/" + path)],
                check=True,
                capture_output=True,
            )
        self.mode, self.questions = mode, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            question, sender = self.socket.recvfrom(4096)
            self.questions += 1
            end = 12
            while question[end]:
                end += 1 + question[end]
            kind, asked = int.from_bytes(question[end + 1 : end + 3], "big"), question[12 : end + 5]
            if self.mode == "silent":
                continue
            code = {"refuses": 2, "absent": 3, "right": 0}[self.mode]
            found = self.mode == "right" and kind == 1
            answer = question[:2] + bytes([0x81, 0x80 | code]) + struct.pack("!HHHH", 1, found, 0, 0) + asked
            if found:
                answer += b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + bytes([127, 0, 0, 1])
            self.socket.sendto(answer, sender)


@test("Eight collectors whose names are not answered keep neither main nor an end waiting", limit=120)
def names_silent(t):
    Names(t, "silent")
    t.link()
    manager = Manager(t)
    for scheme in ("udp", "tcp"):
        config = t.path("c.yaml", "export:\n  inactive_timeout: 1s\n")
        running = t.live("-config", config, "--output", "none", env=manager.environment(4))
        collectors = ", ".join(f"'{scheme}://c{i}.collectors.example:4739'" for i in range(8))
        t.path("c.yaml", f"export:\n  inactive_timeout: 1s\n  collectors: [{collectors}]\n")
        since = time.monotonic()
        running.reload()
        time.sleep(0.2)
        running.answers(3)
        harness.transmit("far0", harness.frames(100))
        time.sleep(6)
        running.answers(3)
        pause = manager.longest_pause(since)
        require(pause < 3.9, f"{scheme}: the watchdog was not fed for {pause:.1f} s")
        began = time.monotonic()
        done = running.stop(12)
        t.note(f"{scheme}: reload, then an end within {time.monotonic() - began:.1f} s")
        require(done.status in (0, FAILURE), f"{scheme}: status {done.status}: {done.said()}")
        t.exact()
        running = t.live("-config", config, "--output", "none", env=manager.environment(4), ready=False)
        time.sleep(1)
        if running.alive():
            running.stop(5)


@test("A collector whose name is refused is asked for with patience: few questions, threads and lines", limit=120)
def names_refused(t):
    names = Names(t, "refuses")
    t.link()
    for scheme in ("tcp", "udp"):
        for mode in ("refuses", "absent"):
            names.mode = "right"
            config = t.path(
                "c.yaml", f"export:\n  inactive_timeout: 1s\n  collectors: ['{scheme}://c.collectors.example:4739']\n"
            )
            running = t.live("-config", config, "--output", "none", ready=False)
            # A start may be refused for a name that nobody knows; while it runs, the name goes away.
            running.ready()
            time.sleep(1.5)
            names.mode, asked, most, lines = mode, names.questions, 0, len(running.log_lines())
            end = time.monotonic() + 10
            while time.monotonic() < end:
                harness.transmit("far0", harness.frames(20))
                most = max(most, harness.threads(running.pid))
                time.sleep(0.1)
            asked, lines = names.questions - asked, len(running.log_lines()) - lines
            name = f"{scheme}, {mode}"
            t.note(f"{name}: {asked} questions, {most} threads, {lines} lines in 10 s")
            require(asked <= 60, f"{name}: {asked} questions in 10 s")
            require(most <= 12, f"{name}: {most} threads")
            require(lines <= 8, f"{name}: {lines} lines in 10 s: {running.log_lines()[-1][-120:]}")
            if scheme == "tcp":
                require(
                    "c.collectors.example" in "".join(running.log_lines()[1:]), f"{name}: not a word about the name"
                )
            running.stop(10)
            t.exact()


@test("A start with a name that nobody knows ends with one line, or goes on and tells it; nothing multiplies", limit=60)
def names_refused_at_start(t):
    names = Names(t, "absent")
    t.link()
    for scheme in ("tcp", "udp"):
        running = t.live(
            "--set", f"export.collectors={scheme}://c.collectors.example:4739", "--output", "none", ready=False
        )
        most, end, asked = 0, time.monotonic() + 8, names.questions
        while time.monotonic() < end and running.alive():
            most = max(most, harness.threads(running.pid))
            time.sleep(0.05)
        require(
            "c.collectors.example" in "".join(line for line in running.log_lines() if " info " not in line),
            f"{scheme}: not a word about the name",
        )
        require(most <= 12, f"{scheme}: {most} threads")
        require(names.questions - asked <= 60, f"{scheme}: {names.questions - asked} questions in 8 s")
        if running.alive():
            running.stop(10)
        else:
            require(running.done.status in (FAILURE, CONFIGURATION), f"{scheme}: status {running.done.status}")


# ---- TCP collectors that break


class TcpCollector:
    """One connection at a time; `behave(connection, self)` decides.  Counts what its kernel took."""

    def __init__(self, behave, port=0):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.behave, self.taken, self.read, self.sessions = behave, 0, b"", 0
        self.keep = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            self.sessions += 1
            self.behave(connection, self)

    def took(self, connection):
        """Octets that the kernel has received, read or not: tcpi_bytes_received of struct tcp_info."""
        self.taken += struct.unpack_from("Q", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 128)[0]

    def reset(self, connection):
        self.took(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()


def reset_unread(connection, collector):
    time.sleep(1)
    collector.reset(connection)
    collector.listener.close()


def reset_after_30k(connection, collector):
    data = b""
    while len(data) < 30_000:
        data += connection.recv(2000)
    collector.read += data
    collector.reset(connection)
    collector.listener.close()


def never_read(connection, collector):
    collector.keep.append(connection)


def read_all(connection, collector):
    while chunk := connection.recv(65536):
        collector.read += chunk
    connection.close()


def half_closed(connection, collector):
    connection.shutdown(socket.SHUT_WR)
    read_all(connection, collector)


def talkative(connection, collector):
    """Sends what nobody asked for, and reads slowly."""
    connection.setblocking(False)
    while True:
        for act in (lambda: connection.send(os.urandom(65536)), lambda: connection.recv(1 << 20)):
            try:
                got = act()
                if isinstance(got, bytes):
                    if not got:
                        return
                    collector.read += got
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                return


def reset_at_once(connection, collector):
    time.sleep(0.05)
    collector.reset(connection)


def close_at_once(connection, collector):
    connection.close()


SMALLEST = 62  # octets of a record


def from_file(t, collector, flows=5000, limit=40):
    capture, packets = t.capture(flows)
    done = t.run(
        "--read",
        capture,
        "--output",
        "none",
        "--set",
        f"export.collectors=tcp://127.0.0.1:{collector.port}",
        "--counters",
        t.path("counters.json"),
        *FOREVER,
        limit=limit,
        what="a run beside such a collector",
    )
    counters = t.exact()
    require(
        counters["records_sent"] + counters["records_not_sent"] == packets,
        f"{counters['records_sent']} + {counters['records_not_sent']} records of {packets}",
    )
    return done, counters, packets


@test("What a collector's kernel did not take before it broke counts as lost, and the log says so", limit=100)
def tcp_breaks(t):
    t.loopback()
    for name, behave in (("reset unread", reset_unread), ("reset after 30,000 octets", reset_after_30k)):
        collector = TcpCollector(behave)
        done, counters, packets = from_file(t, collector)
        sent, most = counters["records_sent"], collector.taken // SMALLEST
        t.note(
            f"{name}: {sent} records sent, {counters['records_not_sent']} not; the kernel took {collector.taken} octets"
            f" ({most} records at most); {counters['messages_lost']} messages lost; status {done.status}"
        )
        require(sent <= most, f"{name}: {sent} records count as sent, at most {most} were taken")
        require(counters["messages_lost"] > 0, f"{name}: no message counts as lost")
        require(
            f"127.0.0.1:{collector.port}" in "".join(line for line in done.lines()[1:] if " statistics: " not in line),
            f"{name}: not a word about it",
        )


@test("A collector that never reads does not keep the end waiting, and what it did not take counts as lost", limit=100)
def tcp_never_reads(t):
    t.loopback()
    collector = TcpCollector(never_read)
    done, counters, packets = from_file(t, collector, 20_000)
    for connection in collector.keep:
        collector.took(connection)
    sent, most = counters["records_sent"], collector.taken // SMALLEST
    t.note(
        f"{sent} records sent, the kernel took {collector.taken} octets ({most} at most); status {done.status}, "
        f"{done.seconds:.1f} s"
    )
    require(sent <= most, f"{sent} records count as sent, at most {most} were taken")
    require(len(done.lines()) < 20, f"{len(done.lines())} lines")


@test("A collector that closes its sending half, or sends what nobody asked for, gets every record", limit=60)
def tcp_odd_but_alive(t):
    t.loopback()
    for name, behave in (("half closed", half_closed), ("talkative", talkative), ("quiet", read_all)):
        collector = TcpCollector(behave)
        done, counters, packets = from_file(t, collector)
        if name == "half closed" and counters["records_not_sent"]:
            # Taking a half-closed session for a closed one is allowed; calling it sent is not.
            require(counters["messages_lost"] > 0, "half closed: records not sent, but no message lost")
            continue
        until(f"{name}: all has been read", lambda: len(collector.read) >= counters["message_octets_sent"], 5)
        records = len(ipfix.read_file(t.path("stream", collector.read)).records)
        require(records == packets == counters["records_sent"], f"{name}: {records} of {packets} records came")
        require(done.status == 0, f"{name}: status {done.status}: {done.said()}")


@test(
    "A collector that accepts and breaks again and again gets patience: few sessions, few lines, a right count",
    limit=90,
)
def tcp_breaks_again(t):
    t.loopback()
    t.link()
    for name, behave in (("resets", reset_at_once), ("closes", close_at_once), ("refuses", None)):
        collector = TcpCollector(behave or read_all)
        if behave is None:
            collector.listener.shutdown(socket.SHUT_RDWR)
            collector.listener.close()
        running = t.live(
            "--set",
            f"export.collectors=tcp://127.0.0.1:{collector.port}",
            "--output",
            "none",
            "--set",
            "export.inactive_timeout=1s",
        )
        end, first, lines = time.monotonic() + 12, 0, len(running.log_lines())
        while time.monotonic() < end:
            harness.transmit("far0", harness.frames(50, first))
            first += 50
            time.sleep(0.1)
        lines = len(running.log_lines()) - lines
        t.note(f"{name}: {collector.sessions} sessions, {lines} lines in 12 s")
        require(lines <= 10, f"{name}: {lines} lines in 12 s: {running.log_lines()[-1][-120:]}")
        # What is wrong at the start is said before the probe is ready.
        require(lines >= 1 or "refused" in running.log(), f"{name}: not a word")
        require(harness.threads(running.pid) <= 12, f"{name}: {harness.threads(running.pid)} threads")
        require(running.stop(12).status in (0, FAILURE), f"{name}: status")
        counters = t.exact()
        most = collector.taken // SMALLEST
        if name == "resets":
            require(counters["records_sent"] <= most, f"{counters['records_sent']} sent, at most {most} were taken")
        if name == "refuses":
            require(counters["records_sent"] == 0, f"{counters['records_sent']} records sent to nobody")


# ---- UDP collectors that cannot be reached


def route(*words):
    probe.ip("route", *words)


@test("A UDP collector that cannot be reached is named in the log, with the reason, not for ever", limit=120)
def udp_unreachable(t):
    t.loopback()
    t.link()
    probe.ip("addr", "add", "10.9.0.1/24", "dev", "near0")
    route("add", "blackhole", "192.0.2.64/26")
    route("add", "unreachable", "192.0.2.128/26")
    route("add", "prohibit", "192.0.2.192/26")
    # Who must not wait for a neighbour: nothing answers on the link.
    cases = [
        ("192.0.2.1", "unreachable|route"),
        ("192.0.2.65", "invalid|unreachable|route"),
        ("192.0.2.129", "route|unreachable"),
        ("192.0.2.193", "permi|denied|prohib"),
        ("255.255.255.255", "permi|denied|broadcast|unreachable"),
        ("fe80::1", "scope|interface|invalid|zone"),
        ("2001:db8::1", "unreachable|route|assign|not supported"),
    ]
    import re

    for address, reasons in cases:
        host = f"[{address}]" if ":" in address else address
        running = t.live(
            "-collector", f"{host}:4739", "--set", "export.inactive_timeout=1s", "--output", "none", ready=False
        )
        until("a start or an end", lambda: "capturing on" in running.log() or not running.alive(), 10)
        if running.alive():
            end, first = time.monotonic() + 6, 0
            while time.monotonic() < end:
                harness.transmit("far0", harness.frames(50, first))
                first += 50
                time.sleep(0.1)
        said = [line for line in running.log_lines() if address in line and " info " not in line]
        require(said, f"{address}: not a word about it")
        require(re.search(reasons, " ".join(said), re.I), f"{address}: no reason: {said[0][-160:]}")
        require(len(said) <= 6, f"{address}: {len(said)} lines in 6 s")
        if running.alive():
            running.stop(12)
            counters = t.exact()
            require(
                counters["records_sent"] == 0 or counters["messages_lost"] > 0, f"{address}: nothing counts as lost"
            )


@test("A route that goes away and comes back: told once each way, records flow again", limit=60)
def udp_route_flaps(t):
    t.loopback()
    t.link()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        probe.ip("addr", "add", "192.0.2.1/32", "dev", "lo")
        collector.bind(("192.0.2.1", 4739))
        collector.settimeout(5)
        running = t.live("-collector", "192.0.2.1:4739", "--set", "export.inactive_timeout=1s", "--output", "none")
        harness.transmit("far0", harness.frames(50))
        require(collector.recv(65536), "nothing came")
        probe.ip("addr", "del", "192.0.2.1/32", "dev", "lo")
        end, first = time.monotonic() + 6, 100
        while time.monotonic() < end:
            harness.transmit("far0", harness.frames(50, first))
            first += 50
            time.sleep(0.1)
        said = [line for line in running.log_lines() if "192.0.2.1" in line and " info " not in line]
        require(said, "the route is gone, and not a word about it")
        probe.ip("addr", "add", "192.0.2.1/32", "dev", "lo")
        collector.setblocking(False)
        try:
            while True:
                collector.recv(65536)
        except BlockingIOError:
            collector.settimeout(8)
        harness.transmit("far0", harness.frames(50, first))
        require(collector.recv(65536), "nothing came after the route was back")
        running.stop(10)
        t.exact()
