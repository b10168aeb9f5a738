# SPDX-License-Identifier: Apache-2.0
"""What strangers send: keys that fall together, floods, streams without an end, half requests; what they would get."""

import concurrent.futures
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import harness
import probe
import traffic
from harness import FAILURE, FOREVER, Miss, Skip, require, rss_mib, test, until

# ---- keys that fall together

COLLIDERS = 20_000
RATIO = 1.5  # of what addresses without a pattern cost


def cost(t, capture, *arguments):
    done = t.run("--read", capture, "--set", "export.fields=extended", "--output", "none", *arguments, limit=60)
    require(done.status == 0, f"status {done.status}: {done.said()}")
    return done.cpu


def least(measure, rounds, enough=None):
    """The least of some rounds; what disturbs only adds."""
    best = measure()
    for _ in range(rounds - 1):
        if enough is not None and best <= enough:
            break
        best = min(best, measure())
    return best


def compare_families(t, families, protocol, *arguments):
    made = t.path("family.pcap")
    t.tool("collide", "spread", protocol, COLLIDERS, "--write", made)
    ordinary = least(lambda: cost(t, made, *arguments), 7)
    slow, worst = [], (0, "")
    for family in families:
        t.tool("collide", family, protocol, COLLIDERS, "--write", made)
        taken = least(lambda: cost(t, made, *arguments), 7, ordinary * RATIO)
        worst = max(worst, (taken, family))
        if taken > ordinary * RATIO:
            slow.append(f"{family} {taken * 1000:.0f} ms")
    t.note(
        f"{protocol}: {len(families)} families, spread {ordinary * 1000:.0f} ms, worst {worst[0] * 1000:.0f} ms"
        f" ({worst[1]})"
    )
    require(
        not slow,
        f"{len(slow)} of {len(families)} families of {protocol} take more than {RATIO} times the"
        f" {ordinary * 1000:.0f} ms of spread: {', '.join(slow[:4])}",
    )


def families_of(t):
    return [name for name in t.tool("collide", "--families").split() if name not in ("spread", "fnv")]


@test("20,000 UDP flows with chosen addresses cost no more than 1.5 times what others cost", limit=120, alone=True)
def collisions_udp(t):
    compare_families(t, families_of(t), "udp")


@test("The same with SYNs, which the SYN cache remembers too", limit=120, alone=True)
def collisions_syn(t):
    compare_families(t, families_of(t), "syn")


@test(
    "The same for the table for people: its own index cannot be searched for collisions either", limit=120, alone=True
)
def collisions_table(t):
    families = [name for name in families_of(t) if not name.startswith("word")] + ["fnv"]
    compare_families(t, families, "udp", "--output", "table")


@test("2,000 chosen packets a second beside 20,000 others: nothing dropped, SIGTERM ends well", limit=100, alone=True)
def collisions_live(t):
    near, far = t.link()
    for family in ("word1-9e3779b97f4a7c15", "word3-c2b2ae3d27d4eb4f") if t.full else ("word1-9e3779b97f4a7c15",):
        # Idle for longer than the run, so that all of them are in the table at once.
        running = t.live("--output", "none", "--set", "export.inactive_timeout=60s")
        place = os.path.join(t.tools, "bench", "bench_blast")
        ordinary = subprocess.Popen(
            [place, far, "--rate", "20000", "--seconds", "25", "--flows", "20000"], stdout=subprocess.PIPE
        )
        cpu = []  # seconds of processor at each moment
        watch = threading.Thread(target=lambda: watch_cpu(running, cpu, 24))
        watch.start()
        chosen = int(t.tool("collide", family, "udp", 50_000, "--send", far, 2000))
        sent = json.loads(ordinary.communicate(timeout=60)[0])["sent"] + chosen
        watch.join()
        done = running.stop(10)
        require(done.status == 0, f"status {done.status}: {done.said()}")
        counters = t.exact()
        early, late = cpu[11] - cpu[3], cpu[23] - cpu[15]
        t.note(f"{family}: processor {early:.2f} s in seconds 3 to 11, {late:.2f} s in seconds 15 to 23")
        require(counters["packets_dropped"] == 0, f"{counters['packets_dropped']} packets dropped")
        require(counters["packets_received"] == sent, f"{counters['packets_received']} of {sent} packets received")
        require(late < 2 * early + 0.2, f"the same traffic takes {late:.2f} s of processor, {early:.2f} s at first")


def watch_cpu(running, found, seconds):
    began = time.monotonic()
    for i in range(seconds):
        time.sleep(max(0.0, began + i - time.monotonic()))
        with open(f"/proc/{running.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        found.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))


# ---- floods

KINDS = ("none", "syn", "syn2", "synack", "ack", "ack2", "rst", "data", "udp1", "udp2", "both", "icmp", "frag")


class Records:
    """Flow records of an IPFIX file as octets, those with an address of a network: quicker than to decode them all."""

    def __init__(self, path, networks):
        with open(path, "rb") as file:
            self.data = file.read()
        self.layouts = {}  # template -> [(element, offset, size)], octets
        self.found = {network: {} for network in networks}
        at = 0
        while at < len(self.data):
            end, place = at + struct.unpack_from("!H", self.data, at + 2)[0], at + 16
            while place < end:
                number, size = struct.unpack_from("!HH", self.data, place)
                if number == 2:
                    self.learn(place + 4, place + size)
                elif number in self.layouts:
                    self.take(number, place + 4, place + size)
                place += size
            at = end

    def learn(self, at, end):
        while end - at >= 4:
            number, count = struct.unpack_from("!HH", self.data, at)
            at, offset, fields = at + 4, 0, []
            for _ in range(count):
                element, size = struct.unpack_from("!HH", self.data, at)
                at, pen = at + 4, 0
                if element & 0x8000:
                    (pen,) = struct.unpack_from("!I", self.data, at)
                    at += 4
                fields.append(((pen, element & 0x7FFF), offset, size))
                offset += size
            places = {name: (start, start + width) for name, start, width in fields}
            if (0, 8) in places:
                self.layouts[number] = fields, offset, places

    def take(self, number, begin, end):
        data, (_, octets, places) = self.data, self.layouts[number]
        source, destination = places[0, 8][0], places[0, 12][0]
        started, ident = places[0, 152], places[0, 148]
        for at in range(begin, end - octets + 1, octets):
            group = self.found.get(data[at + source : at + source + 2])
            if group is None:
                group = self.found.get(data[at + destination : at + destination + 2])
                if group is None:
                    continue
            record = data[at : at + octets]
            key = record[source : source + 4], record[destination : destination + 4], record[slice(*started)]
            group.setdefault(key, []).append((number, record[: ident[0]] + record[ident[1] :]))

    def fields_of(self, number, record):
        ident = self.layouts[number][2][0, 148]
        return {
            name: record[at - 8 if at > ident[0] else at :][:size].hex()
            for name, at, size in self.layouts[number][0]
            if name != (0, 148)
        }


EARLY, LATE = b"\x0a\x01", b"\x0a\x03"


def first_difference(reader, base, found):
    for key, records in base.items():
        if found.get(key) == records:
            continue
        who = f"{socket.inet_ntoa(key[0])} to {socket.inet_ntoa(key[1])}"
        if key not in found:
            return f"{who}: no such record"
        wanted, got = (reader.fields_of(*some[0]) for some in (records, found[key]))
        fields = [
            f"{pen}/{number} {int(value, 16)} -> {int(got.get((pen, number), '0'), 16)}"
            for (pen, number), value in wanted.items()
            if got.get((pen, number)) != value
        ]
        return f"{who}: {', '.join(fields[:3]) or f'{len(records)} -> {len(found[key])} records'}"
    return "records too many"


def flood_run(t, kind, packets, seconds, flows):
    """Timeouts scaled with the length, so that the shorter form fills the table as the long one does."""
    capture = t.path("flood.pcap")
    t.tool("flood", kind, packets, seconds, capture)
    done = t.run(
        "--read",
        capture,
        "--write-ipfix",
        t.path("flood.ipfix"),
        "--set",
        "export.fields=extended",
        "--set",
        f"flow.max_flows={flows}",
        "--set",
        f"export.active_timeout={seconds * 2 // 3}s",
        "--set",
        f"export.inactive_timeout={max(15, seconds // 4)}s",
        "--counters",
        t.path("counters.json"),
        limit=120,
    )
    require(done.status == 0, f"{kind}: status {done.status}: {done.said()}")
    t.exact()
    return done, Records(t.path("flood.ipfix"), (EARLY, LATE))


def flood_table(t, flows, packets, seconds):
    t.note(f"max_flows {flows}, {packets} packets in {seconds} s")
    t.note(f"{'kind':<8} {'identical':>9} {'differing':>9} {'extra':>6} {'late differing':>14} {'CPU s':>6} {'MiB':>6}")
    base, bad = None, []
    for kind in KINDS:
        # With a table that turns over in a fraction of a second everybody is idle for longer than a flood's flow.
        if kind == "both" and flows < 10_000:
            continue
        done, reader = flood_run(t, kind, packets, seconds, flows)
        early, late = reader.found[EARLY], reader.found[LATE]
        if base is None:
            base = (early, late)
            require(len(early) >= 2000, f"{len(early)} records without a flood")
        same = sum(early.get(key) == value for key, value in base[0].items())
        extra = sum(key not in base[0] for key in early)
        other = sum(late.get(key) != value for key, value in base[1].items())
        t.note(
            f"{kind:<8} {same:>9} {len(base[0]) - same:>9} {extra:>6} {other:>14} {done.cpu:>6.2f}"
            f" {done.peak_mib:>6.0f}"
        )
        if early != base[0]:
            bad.append(
                f"{kind}: {len(base[0]) - same} of {len(base[0])} differ, {first_difference(reader, base[0], early)}"
            )
        # Beside flows that all have answers, a conversation without one yet may be the first to go.
        elif flows > 10_000 and kind != "both" and late != base[1]:
            bad.append(f"{kind}: {other} late ones differ, {first_difference(reader, base[1], late)}")
    require(not bad, "; ".join(bad[:3]) + (f" (+{len(bad) - 3} kinds)" if len(bad) > 3 else ""))


@test("1,000 living conversations have the same records with and without a flood, default table", limit=240)
def flood_default_table(t):
    flood_table(t, 262_144, *((2_000_000, 60) if t.full else (500_000, 20)))


@test("The same with a table of 2,500 conversations", limit=240)
def flood_small_table(t):
    flood_table(t, 2_500, *((2_000_000, 60) if t.full else (300_000, 20)))


# ---- streams without an end

GRACE = 3  # seconds that an end may take on a busy machine


def endless(first, block):
    """Writes until nobody reads any more."""
    reader, writer = os.pipe()

    def write():
        try:
            os.write(writer, first)
            while block:
                os.write(writer, block)
        except OSError:
            os.close(writer)

    threading.Thread(target=write, daemon=True).start()
    return reader, writer


def ng(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def frame_of(protocol):
    c = traffic.Capture()
    if protocol == "tcp":
        c.tcp(traffic.START, traffic.Host(1), traffic.Host(2), 4, 1, 2, "0 > 1 0 0 S 1000")
    elif protocol == "udp":
        c.udp(traffic.START, traffic.Host(1), traffic.Host(2), 4, 1, 2, 10)
    else:
        c.arp(traffic.START, traffic.Host(1))
    return c.frames


def streams():
    """Name, first octets with one TCP packet in them (or none), and what follows without an end."""
    pcap_tcp, pcap_udp = traffic.pcap(frame_of("tcp")), traffic.pcap(frame_of("udp"))
    head, udp = pcap_udp[:24], pcap_udp[24:]
    sections = traffic.pcapng(frame_of("tcp"))
    section, interface = ng(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)), ng(1, struct.pack("<HHI", 1, 0, 0))
    ng_udp = traffic.pcapng(frame_of("udp"))[len(traffic.pcapng([])) :]
    early = struct.pack("<IIII", 0, 0, 0, 0)
    yield "pcap-nothing-matches", pcap_tcp, udp * 1000
    yield "pcap-empty-packets", pcap_tcp, early * 4000
    yield "pcap-not-ip", pcap_tcp, traffic.pcap(frame_of("arp"))[24:] * 1000
    yield "pcap-first-of-all-nothing", head, udp * 1000
    yield "pcapng-nothing-matches", sections, ng_udp * 1000
    yield "pcapng-unknown-blocks", sections, ng(0xBAD, b"1234") * 4000
    yield "pcapng-empty-unknown-blocks", sections, ng(0xBAD, b"") * 4000
    yield "pcapng-large-unknown-blocks", sections, ng(0xBAD, bytes(1 << 20))
    yield "pcapng-name-resolution", sections, ng(4, struct.pack("<HH", 0, 0)) * 4000
    yield "pcapng-statistics", sections, ng(5, struct.pack("<III", 0, 0, 0)) * 4000
    yield "pcapng-secrets", sections, ng(10, struct.pack("<II", 0x544C534B, 4) + b"abcd") * 4000
    yield "pcapng-custom", sections, ng(0xBAD, struct.pack("<I", 1)) * 2000 + ng(
        0x40000BAD, struct.pack("<I", 1)
    ) * 2000
    yield "pcapng-sections", sections, section * 4000
    yield "pcapng-sections-and-interfaces", sections, (section + interface) * 2000
    yield "pcapng-interfaces", sections, interface * 4000


def silent_streams():
    """The same of streams in which nothing comes any more."""
    pcap_tcp = traffic.pcap(frame_of("tcp"))
    sections = traffic.pcapng(frame_of("tcp"))
    yield "silent-after-a-packet", pcap_tcp
    yield "silent-inside-a-packet", pcap_tcp + struct.pack("<IIII", 1, 0, 100, 100) + b"123"
    yield "silent-inside-a-packet-header", pcap_tcp + b"12345"
    yield "silent-inside-a-block", sections + struct.pack("<II", 0xBAD, 1000) + b"1234"
    yield "silent-before-the-header", b""
    yield "silent-inside-the-header", pcap_tcp[:10]
    yield "silent-inside-the-section", sections[:10]


def end_of_stream(t, number, name, first, block, how, more):
    reader, writer = endless(first, block)
    matched = len(first) > 30 and name != "pcap-first-of-all-nothing"
    counters = f"counters{number}.json"
    running = t.start(
        "--read",
        "-",
        "--filter",
        "tcp",
        "--write-ipfix",
        t.path(f"out{number}.ipfix"),
        "--output",
        "none",
        "--counters",
        t.path(counters),
        *FOREVER,
        *more,
        *(("--duration", "1s") if how == "duration" else ()),
        stdin=reader,
    )
    os.close(reader)
    try:
        if how == "duration":
            done = running.within(1 + GRACE, "--duration 1s")
        else:
            running.poll(0.5)
            done = running.done or running.stop(GRACE)
        require("a thread does not end" not in done.err, done.said())
        require(done.peak_mib < 600, f"{done.peak_mib:.0f} MiB")
        # Silence before there is a capture at all may be called a fault, and interfaces without an end as well; and
        # before that the signal itself may end the program.
        require(
            done.status == 0
            or (done.status == FAILURE and (not matched or "interface" in done.err))
            or (done.status == -signal.SIGTERM and how != "duration" and not matched),
            f"status {done.status}: {done.said()}",
        )
        if matched:
            sent = t.exact(counters)["packets_in_records_sent"]
            require(sent == 1, f"{sent} packets exported, not 1")
    except Miss as miss:
        return f"{name}, {how}{' (2 workers)' if more else ''}: {miss}"
    finally:
        running.kill()
        if not block:
            os.close(writer)
    return None


def all_streams(t, how):
    workers = ((), ("--set", "capture.workers=2")) if t.full or how == "duration" else ((),)
    every = [
        (*stream, how, more)
        for more in workers
        for stream in [*streams(), *((name, first, b"") for name, first in silent_streams())]
    ]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        bad = list(filter(None, pool.map(lambda job: end_of_stream(t, job[0], *job[1]), enumerate(every))))
    require(not bad, f"{len(bad)} of {len(every)} streams: " + "; ".join(bad[:2]))


@test("A stream without an end or without a word ends with --duration, what was metered is exported", limit=150)
def stream_duration(t):
    all_streams(t, "duration")


@test("The same with SIGTERM", limit=120)
def stream_sigterm(t):
    all_streams(t, "SIGTERM")


@test("A FIFO that nobody opens for writing, or with a silent writer, does not keep the program from ending", limit=40)
def stream_fifo(t):
    fifo = t.path("fifo")
    os.mkfifo(fifo)
    for more in ((), ("--set", "capture.workers=2")):
        running = t.start("--read", fifo, "--output", "none", *more)
        time.sleep(0.3)
        running.stop(3)
        t.start("--read", fifo, "--output", "none", "--duration", "1s", *more).within(4, "a FIFO and --duration 1s")


# ---- memory


def memory_watch(running, most_mib, seconds):
    """Ends the program when it touches more than that: others use the machine, too."""
    end = time.monotonic() + seconds
    while running.alive() and time.monotonic() < end:
        if rss_mib(running.pid) > most_mib:
            used = rss_mib(running.pid)
            running.kill()
            raise Miss(f"{used:.0f} MiB touched")
        time.sleep(0.002)


@test("A table that is larger than the machine's memory is refused in one line, before it is touched", limit=60)
def memory_too_large(t):
    t.link()
    for settings in (
        ("flow.max_flows=134217728",),
        ("flow.max_flows=134217728", "export.fields=extended"),
        ("flow.max_flows=134217728", "capture.workers=16"),
        ("flow.max_flows=134217728", "export.track_tcp_performance=false", "export.fields=extended"),
    ):
        words = [word for setting in settings for word in ("--set", setting)]
        running = t.start("-interface", "near0", "--output", "none", "--set", "capture.buffer_size_mb=16", *words)
        try:
            memory_watch(running, 1500, 10)
            done = running.within(0, "the start")
        except Miss as miss:
            running.kill()
            raise Miss(f"{' '.join(settings)}: {miss}") from None
        require(done.status == FAILURE, f"{' '.join(settings)}: status {done.status}: {done.said()}")
        require(len(done.lines()) == 1, f"{' '.join(settings)}: {len(done.lines())} lines: {done.said()}")
        name = settings[0].split("=")[0]
        require(name in done.err, f"{' '.join(settings)}: the line does not name {name}: {done.said()}")


@test("A control group's limit counts as the machine's memory does", limit=60)
def memory_of_a_group(t):
    group = f"/sys/fs/cgroup/memory/chompy-faults-{os.getppid()}-{time.monotonic_ns()}"
    limit_name = "memory.limit_in_bytes"
    if not os.path.isdir("/sys/fs/cgroup/memory"):
        group, limit_name = group.replace("/memory/", "/"), "memory.max"
    try:
        os.mkdir(group)
        with open(os.path.join(group, limit_name), "w", encoding="ascii") as file:
            file.write(str(512 << 20))
    except OSError as error:
        raise Skip(f"no control group of our own: {error}") from None
    t.link()

    def join():
        with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))

    try:
        running = t.start(
            "-interface",
            "near0",
            "--output",
            "none",
            "--set",
            "flow.max_flows=3000000",
            "--set",
            "capture.buffer_size_mb=16",
            "--set",
            "capture.workers=1",
            preexec=join,
        )
        done = running.poll(10)
        if done is None:
            running.kill()
            raise Miss(f"3,000,000 conversations in 512 MiB: it goes on; {running.log_lines()[-1:]}")
        require(done.status == FAILURE, f"status {done.status}: {done.said() or 'not a word'}")
        require(len(done.lines()) == 1 and "flow.max_flows" in done.err, f"not one line that names it: {done.said()}")
        small = t.start(
            "-interface",
            "near0",
            "--output",
            "none",
            "--set",
            "flow.max_flows=20000",
            "--set",
            "capture.buffer_size_mb=16",
            "--set",
            "capture.workers=1",
            preexec=join,
        ).ready()
        require(small.stop(10).status == 0, "a table that fits is refused")
    finally:
        for running in t.running:
            running.kill()
        os.rmdir(group)


@test("SIGTERM while memory is being touched ends the start", limit=60)
def memory_sigterm(t):
    t.link()
    running = t.start(
        "-interface",
        "near0",
        "--output",
        "none",
        "--set",
        "flow.max_flows=5000000",
        "--set",
        "capture.buffer_size_mb=16",
        "--set",
        "capture.workers=1",
    )
    until("memory is being touched", lambda: rss_mib(running.pid) > 100 or not running.alive(), 10)
    require(running.alive(), f"ended by itself: {running.done and running.done.said()}")
    peak, done = rss_mib(running.pid), running.stop(3)
    # Nothing has begun that could end well: the signal itself may end the program.
    require(done.status in (0, FAILURE, -signal.SIGTERM), f"status {done.status}")
    t.note(f"signal at {peak:.0f} MiB, end at {done.peak_mib:.0f} MiB")


# ---- the page of counters


def page(port, head=b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", seconds=5, read=1 << 20):
    """The answer to a request, or b'' when there is none in time."""
    with socket.socket() as s:
        s.settimeout(seconds)
        answer, end = b"", time.monotonic() + seconds
        try:
            s.connect(("127.0.0.1", port))
            s.sendall(head)
            while time.monotonic() < end and len(answer) < read:
                chunk = s.recv(65536)
                if not chunk:
                    break
                answer += chunk
                length = answer.lower().find(b"content-length: ")
                body = answer.find(b"\r\n\r\n")
                if 0 <= length < body and len(answer) >= body + 4 + int(answer[length + 16 :].split(b"\r\n")[0]):
                    break
        except OSError:
            pass
        return answer


def with_page(t, port=9108):
    t.loopback()
    t.link()
    return t.live("--output", "none", "--set", f"metrics.listen=127.0.0.1:{port}")


def is_page(answer):
    return answer.startswith(b"HTTP/1.1 200") and b"chompy_probe_packets_received" in answer


def half_requests(t, running, count, octets, every, seconds):
    """`count` connections that send `octets` one by one and never finish; the page must answer beside them."""
    sockets = []
    for _ in range(count):
        s = socket.socket()
        s.settimeout(2)
        try:
            s.connect(("127.0.0.1", 9108))
            s.setblocking(False)
            sockets.append(s)
        except OSError:
            s.close()
    end, sent, due, slowest, asked = time.monotonic() + seconds, 0, 0.0, 0.0, 0
    while time.monotonic() < end:
        if octets and time.monotonic() >= due:
            for s in sockets:
                try:
                    s.send(octets[sent % len(octets) :][:1])
                except OSError:
                    pass
            sent, due = sent + 1, time.monotonic() + every
        began = time.monotonic()
        answer = page(9108, seconds=5)
        slowest, asked = max(slowest, time.monotonic() - began), asked + 1
        require(is_page(answer), f"{count} half requests: no page within 5 s (question {asked})")
        time.sleep(0.2)
    for s in sockets:
        s.close()
    require(running.alive(), "the program ended")
    return slowest


@test("The page of counters answers beside connections that never finish their request", limit=100)
def metrics_half_requests(t):
    running = with_page(t)
    require(is_page(page(9108)), "no page at all")
    before = harness.threads(running.pid), harness.descriptors(running.pid), rss_mib(running.pid)
    slow = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 1000
    for count, octets, every in ((50, slow, 3.0), (200, slow, 0.5), (200, b"", 1.0), (500, b"", 1.0)):
        slowest = half_requests(t, running, count, octets, every, 15 if t.full else 7)
        t.note(f"{count} connections: slowest answer {slowest * 1000:.0f} ms")
    until(
        "threads and descriptors are what they were",
        lambda: harness.threads(running.pid) <= before[0] + 2 and harness.descriptors(running.pid) <= before[1] + 20,
        40,
    )
    require(rss_mib(running.pid) < before[2] + 64, f"{rss_mib(running.pid) - before[2]:.0f} MiB more")
    require(running.stop(10).status == 0, "status")


@test("Large heads, endless bodies, pipelined and broken requests take neither memory nor the page", limit=60)
def metrics_odd_requests(t):
    running = with_page(t)
    page(9108)
    before = rss_mib(running.pid)
    good = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for name, octets in (
        ("a head of 8 MiB", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * (8 << 20) + b"\r\n\r\n"),
        ("200,000 header lines", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 200_000 + b"\r\n"),
        ("a path of 8 MiB", b"GET /" + b"a" * (8 << 20) + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        ("a line without an end", b"G" * (8 << 20)),
        (
            "a large body",
            b"POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n" + b"b" * (8 << 20),
        ),
        (
            "chunks",
            b"POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1\r\na\r\n" * 200_000,
        ),
        ("negative length", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n"),
        ("NUL octets", bytes(1 << 20)),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
        ("1,000 requests at once", good * 1000),
        ("no version", b"GET /metrics\r\n\r\n"),
        ("a line that goes on", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n folded\r\n\r\n"),
    ):
        page(9108, octets, seconds=2)
        require(running.alive(), f"{name}: ended")
        require(is_page(page(9108)), f"after {name}: no page within 5 s")
    require(rss_mib(running.pid) < before + 64, f"{rss_mib(running.pid) - before:.0f} MiB more")
    # A client that asks and never reads its answers.
    deaf = []
    for _ in range(50):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.connect(("127.0.0.1", 9108))
        s.setblocking(False)
        try:
            s.send(good * 200)
        except OSError:
            pass
        deaf.append(s)
    require(is_page(page(9108)), "50 clients that do not read: no page within 5 s")
    require(rss_mib(running.pid) < before + 128, f"{rss_mib(running.pid) - before:.0f} MiB more for deaf clients")
    require(running.stop(10).status == 0, "status")


@test("A page on the loopback is not given to a browser that was led there by a foreign name", limit=30)
def metrics_host(t):
    running = with_page(t)
    for host in ("127.0.0.1:9108", "localhost:9108", "127.0.0.1", "localhost"):
        answer = page(9108, f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        require(is_page(answer), f"Host {host}: {answer[:30]}")
    for host in (
        "evil.example",
        "evil.example:9108",
        "127.0.0.1.evil.example",
        "localhost.evil.example:9108",
        "evil.example:127.0.0.1",
        "user@127.0.0.1",
    ):
        answer = page(9108, f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        require(not is_page(answer), f"Host {host}: gets the page")
        require(b"chompy_probe_" not in answer, f"Host {host}: gets counters")
    for name, head in (
        ("no Host", b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n"),
        ("two Hosts", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n"),
    ):
        require(not is_page(page(9108, head)), f"{name}: gets the page")
    require(running.stop(10).status == 0, "status")


# ---- privileges

NET_RAW = 1 << 13


def check_privileges(pid, allowed):
    for task in os.listdir(f"/proc/{pid}/task"):
        status = harness.status_of(f"{pid}/task/{task}")
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            more = int(status[name], 16) & ~allowed
            require(more == 0, f"thread {status['Name']}: {name} {status[name]}")
        require(status["NoNewPrivs"] == "1", f"thread {status['Name']}: NoNewPrivs {status['NoNewPrivs']}")
        require(status["Seccomp"] == "2", f"thread {status['Name']}: Seccomp {status['Seccomp']}")


@test("Started by root, it keeps CAP_NET_RAW alone, gains nothing by exec, and filters system calls", limit=40)
def privileges_live(t):
    t.loopback()
    near, far = t.link()
    for more in (
        (),
        ("--set", "decode.tunnels=inner", "--set", "capture.workers=2"),
        ("--set", "metrics.listen=127.0.0.1:9109"),
    ):
        running = t.live("--output", "none", *more)
        check_privileges(running.pid, NET_RAW)
        require(running.stop(10).status == 0, "status")


@test("Reading a file needs no capability at all", limit=20)
def privileges_reading(t):
    reader, writer = endless(traffic.pcap(frame_of("tcp")), b"")
    running = t.start("--read", "-", "--output", "none", stdin=reader)
    running.ready("reading")
    until("something was read", lambda: harness.threads(running.pid) > 1, 5)
    time.sleep(0.3)
    check_privileges(running.pid, 0)
    os.close(writer)
    require(running.within(5, "the end of the stream").status == 0, "status")


@test("With fewer privileges a reload, an interface made anew and a new collector work as before", limit=60)
def privileges_enough(t):
    t.loopback()
    near, far = t.link()
    config = t.path("c.yaml", "export:\n  inactive_timeout: 1s\n")
    private = t.path("private")
    os.mkdir(private, 0o700)
    running = t.start(
        "-interface",
        near,
        "-config",
        config,
        "--counters",
        os.path.join(private, "c.json"),
        "--set",
        "capture.buffer_size_mb=16",
        "--set",
        "capture.workers=2",
        "--output",
        "none",
    ).ready()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(10)
        port = collector.getsockname()[1]
        t.path(
            "c.yaml",
            f"export:\n  inactive_timeout: 1s\n  collectors: ['udp://127.0.0.1:{port}', "
            f"'file://{private}/out.ipfix']\ncapture:\n  bpf_filter: udp\n",
        )
        running.reload()
        until("the reload", lambda: "in force" in running.log(), 10)
        probe.ip("link", "del", near)
        until("the link is missed", lambda: "waiting for it" in running.log(), 10)
        t.link()
        until("capturing again", lambda: "is up, capturing" in running.log(), 10)
        harness.transmit(far, harness.frames(20))
        require(collector.recv(65536), "nothing came")
    done = running.stop(10)
    require(done.status == 0, f"status {done.status}: {done.said()}")
    counters = t.exact(os.path.join("private", "c.json"))
    require(counters["packets_received"] >= 20, f"{counters['packets_received']} packets, not 20")
    require(os.path.getsize(os.path.join(private, "out.ipfix")) > 100, "nothing in the file of the reload")
