# SPDX-License-Identifier: Apache-2.0
"""The program on a live interface: a veth pair between two private namespaces, real sockets at both ends.

tcpdump on the same interface is the second opinion on how many packets there were.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import ipfix
import probe
import traffic

NEAR = "10.9.0.1"


def serve(addresses):
    """Servers for the other namespace: a thousand octets for each line; they end with their standard input."""
    code = f"""
import selectors, socket, sys
sel = selectors.DefaultSelector()
for family, address in {addresses!r}:
    s = socket.create_server((address, 9000), family=family, backlog=512)
    s.setblocking(False); sel.register(s, selectors.EVENT_READ, 'accept')
    u = socket.socket(family, socket.SOCK_DGRAM); u.bind((address, 9000)); sel.register(u, selectors.EVENT_READ, 'udp')
sel.register(sys.stdin, selectors.EVENT_READ, 'end')
print('ready', flush=True)
while True:
    for key, _ in sel.select():
        if key.data == 'end': sys.exit()
        elif key.data == 'accept':
            peer = key.fileobj.accept()[0]; sel.register(peer, selectors.EVENT_READ, 'tcp')
        elif key.data == 'udp':
            data, sender = key.fileobj.recvfrom(2048); key.fileobj.sendto(data * 2, sender)
        else:
            data = key.fileobj.recv(65536)
            if data:
                key.fileobj.setblocking(True); key.fileobj.sendall(b'x' * (1000 * data.count(b'\\n')))
            else: sel.unregister(key.fileobj); key.fileobj.close()
"""
    return [sys.executable, "-c", code]


class Wire:
    """A neighbour with servers."""

    def __init__(self, case):
        self.neighbour = probe.Neighbour()
        case.addCleanup(self.neighbour.close)
        addresses = [(int(socket.AF_INET), "10.9.0.2"), (int(socket.AF_INET6), "fd00:9::2")]
        self.server = subprocess.Popen(
            [*self.neighbour.enter(), *serve(addresses)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        case.addCleanup(self.close)
        assert self.server.stdout.readline() == b"ready\n"

    def close(self):
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait()

    @staticmethod
    def talk(connections, rounds):
        """`connections` TCP conversations of each IP version, `rounds` requests each, and a few datagrams."""
        sockets = []
        for i in range(connections * 2):
            sockets.append(socket.create_connection(("10.9.0.2", "fd00:9::2")[i % 2 :][:1] + (9000,), timeout=10))
        for _ in range(rounds):
            for s in sockets:
                s.sendall(b"go\n" * 3)
            for s in sockets:
                left = 3000
                while left:
                    left -= len(s.recv(left))
        for s in sockets:
            s.close()
        for family, address in ((socket.AF_INET, "10.9.0.2"), (socket.AF_INET6, "fd00:9::2")):
            with socket.socket(family, socket.SOCK_DGRAM) as s:
                s.settimeout(10)
                for _ in range(20):
                    s.sendto(b"datagram", (address, 9000))
                    s.recv(100)


class Tcpdump:
    """The second opinion.  In a user namespace tcpdump cannot change its user; a recorder of ours stands in."""

    def __init__(self, case, interface, expression):
        self.file = case.path("tcpdump.pcap")
        before = probe.packet_sockets(interface)
        command = [
            "tcpdump",
            "-Z",
            "root",
            "-i",
            interface,
            "-s",
            "128",
            "-B",
            "32768",
            "--immediate-mode",
            "-U",
            "-w",
            "-",
            expression,
        ]
        if os.environ["CHOMPY_IN_NAMESPACE"] == "user":
            command = [
                sys.executable,
                "-B",
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorder.py"),
                interface,
            ]
        with open(self.file, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
        case.addCleanup(self.close)
        probe.wait_for("tcpdump is capturing", lambda: probe.packet_sockets(interface) > before)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def finish(self):
        """(packets, IP octets) by flow, as tcpdump saw them."""
        self.process.send_signal(signal.SIGINT)
        said = self.process.stderr.read().decode()
        self.process.wait()
        assert "\n0 packets dropped by kernel" in said, said
        return count_pcap(self.file)


def count_pcap(path):
    """Packets and IP octets by flow in a pcap of Ethernet that holds TCP and UDP without IP options or extensions."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    flows, at = {}, 24
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        frame, at = data[at + 16 : at + 16 + size], at + 16 + size
        if frame[12:14] == b"\x08\x00":
            head, octets, protocol, family, a, b = (
                (frame[14] & 15) * 4,
                int.from_bytes(frame[16:18], "big"),
                frame[23],
                socket.AF_INET,
                26,
                30,
            )
        else:
            head, octets, protocol, family, a, b = (
                40,
                40 + int.from_bytes(frame[18:20], "big"),
                frame[20],
                socket.AF_INET6,
                22,
                38,
            )
        width = b - a
        source, destination = (socket.inet_ntop(family, frame[i : i + width]) for i in (a, b))
        ports = frame[14 + head : 18 + head]
        key = (source, destination, int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big"), protocol)
        packets, total = flows.get(key, (0, 0))
        flows[key] = (packets + 1, total + octets)
    return flows


class Live(probe.Case):
    def start(self, *arguments, sockets=1, name="a", interface="near0"):
        before = probe.packet_sockets(interface)
        running = probe.Running(
            self,
            "-interface",
            interface,
            "--write-ipfix",
            self.path(name + ".ipfix"),
            "--counters",
            self.path(name + ".json"),
            "--output",
            "none",
            "--set",
            "capture.buffer_size_mb=16",
            *arguments,
        )
        running.name = name

        def ready():
            # The sockets alone do not tell: libpcap has one of its own while it compiles the filter.
            self.assertIsNone(running.process.poll(), running.text())
            return f"capturing on {interface}" in running.text() and probe.packet_sockets(interface) >= before + sockets

        probe.wait_for("the program is capturing", ready)
        return running

    def counters(self, running):
        with open(self.path(running.name + ".json"), encoding="utf-8") as file:
            counters = json.load(file)
        self.assert_identity(counters)
        return counters

    def flows(self, *names):
        """Flow -> list of records, over the files of all processes."""
        found = {}
        for name in names:
            for record in ipfix.read_file(self.path(name + ".ipfix")).records:
                found.setdefault(ipfix.key(record), []).append((name, record))
        return found

    def assert_same(self, flows, seen):
        """The records hold what tcpdump saw, flow by flow."""
        self.assertEqual(
            {
                k: (sum(r["packetDeltaCount"] for _, r in v), sum(r["octetDeltaCount"] for _, r in v))
                for k, v in flows.items()
            },
            seen,
        )

    def test_every_packet_is_counted_as_tcpdump_counts_it(self):
        wire = Wire(self)
        tcpdump = Tcpdump(self, "near0", "tcp or udp")
        running = self.start("--filter", "tcp or udp", *probe.PATIENT, "--set", "capture.workers=1")
        wire.talk(10, 5)
        probe.wait_for("tcpdump has written", lambda: settled(tcpdump.file))
        result = running.stop()
        self.assertEqual(result.status, 0, result.err)
        counters = self.counters(running)
        self.assertEqual(counters["packets_dropped"], 0)
        self.assert_same(self.flows("a"), tcpdump.finish())

    def test_two_processes_of_four_workers_share_the_traffic_and_split_no_conversation(self):
        wire = Wire(self)
        tcpdump = Tcpdump(self, "near0", "tcp or udp")
        group = ("--set", "capture.workers=4", "--set", "capture.fanout_group=4711")
        group = ("--filter", "tcp or udp", *probe.PATIENT, *group)
        both = [self.start(*group, "--set", f"export.domain_id={i}", sockets=4, name=f"process{i}") for i in (1, 2)]
        threads = [threading.Thread(target=wire.talk, args=(25, 6)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if shutil.which("iperf3"):
            self.iperf(wire)
        probe.wait_for("tcpdump has written", lambda: settled(tcpdump.file))
        for running in both:
            result = running.stop()
            self.assertEqual(result.status, 0, result.err)
        totals = [self.counters(running) for running in both]
        seen = tcpdump.finish()
        self.assertEqual(sum(c["packets_dropped"] for c in totals), 0)
        self.assertEqual(sum(c["packets_received"] for c in totals), sum(p for p, _ in seen.values()))
        flows = self.flows("process1", "process2")
        self.assert_same(flows, seen)
        conversations = {}
        for key, records in flows.items():
            # A flow in two tables, of one process or two, would have given two records.
            self.assertEqual(len(records), 1, key)
            name, record = records[0]
            conversations.setdefault(frozenset((key[:1] + key[2:3], key[1:2] + key[3:4])), set()).add(name)
            if key[4] == 6:
                # The handshake is timed only where both directions meet.
                self.assertGreater(record["min_rtt_us"], 0, record)
        self.assertEqual({len(names) for names in conversations.values()}, {1}, "both directions in one process")
        self.assertTrue(all(c["packets_received"] > 0 for c in totals), "both processes had a share")

    def iperf(self, wire):
        server = subprocess.Popen(
            [*wire.neighbour.enter(), "iperf3", "-s", "-1", "--forceflush", "-B", "10.9.0.2"], stdout=subprocess.PIPE
        )
        try:
            for line in server.stdout:
                if b"listening" in line:
                    break
            subprocess.run(
                ["iperf3", "-c", "10.9.0.2", "-P", "4", "--bidir", "-t", "2", "-b", "8M"],
                check=True,
                capture_output=True,
                timeout=30,
            )
        finally:
            server.stdout.close()
            server.kill()
            server.wait()

    def test_both_signals_flush_everything_and_end_well(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                wire = Wire(self)
                running = self.start("--filter", "tcp or udp", *probe.PATIENT)
                wire.talk(3, 2)
                began = time.monotonic()
                result = running.stop(number)
                self.assertEqual(result.status, 0, result.err)
                self.assertLess(time.monotonic() - began, 10)
                counters = self.counters(running)
                self.assertEqual(counters["packets_in_table"], 0)
                self.assertEqual(
                    sum(r["packetDeltaCount"] for v in self.flows("a").values() for _, r in v),
                    counters["packets_in_records_sent"],
                )
                self.assertGreater(counters["packets_in_records_sent"], 50)
                wire.close()
                wire.neighbour.close()
                self.doCleanups()
                self.setUp()

    def test_usr1_logs_the_counters_and_the_program_goes_on(self):
        wire = Wire(self)
        running = self.start("--filter", "tcp or udp", *probe.PATIENT)
        before = len(running.text())
        wire.talk(2, 1)
        running.process.send_signal(signal.SIGUSR1)
        probe.wait_for("a line of counters", lambda: "received" in running.text()[before:])
        self.assertIsNone(running.process.poll())
        self.assertEqual(running.stop().status, 0)

    def test_the_duration_ends_the_run_by_itself(self):
        Wire(self)
        running = self.start("--duration", "2s", *probe.PATIENT)
        began = time.monotonic()
        result = running.finish()
        self.assertEqual(result.status, 0, result.err)
        self.assertLess(time.monotonic() - began, 20)

    def test_a_filter_keeps_everything_else_out_from_the_first_packet(self):
        wire = Wire(self)
        running = self.start("--filter", "udp", *probe.PATIENT)
        wire.talk(3, 2)
        self.assertEqual(running.stop().status, 0)
        counters = self.counters(running)
        self.assertEqual(counters["packets_received"], 80)  # 20 datagrams and 20 answers of each version
        self.assertEqual({k[4] for k in self.flows("a")}, {17})

    def test_a_tagged_packet_is_found_by_a_vlan_filter_although_the_kernel_strips_the_tag(self):
        Wire(self)
        a, b = traffic.Host(1), traffic.Host(2)
        c = traffic.Capture()
        for i in range(6):
            c.udp(i, a, b, 4, 1, 2, 50, vlan=100 if i % 2 else None)
        for expression, count in (("vlan 100", 3), ("vlan 101", 0), ("vlan 100 and udp", 3), ("not vlan", 3)):
            with self.subTest(expression):
                running = self.start("--filter", f"{expression}", *probe.PATIENT, name=expression.replace(" ", "-"))
                with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
                    s.bind(("near0", 0))
                    for _, frame in c.frames:
                        s.send(frame)
                self.assertEqual(running.stop().status, 0)
                self.assertEqual(self.counters(running)["packets_received"], count)

    def test_merged_packets_are_warned_of_once_and_flagged(self):
        wire = Wire(self)
        for merging in (False, True):
            with self.subTest(merging=merging):
                if merging:
                    probe.offload("near0", 1)
                    code = f"import sys; sys.path[0] = {os.path.dirname(__file__)!r}; import probe; "
                    far = [*wire.neighbour.enter(), sys.executable, "-c", code + "probe.offload('far0', 1)"]
                    subprocess.run(far, check=True)
                arguments = ("--set", "export.fields=extended", "--set", "capture.workers=2", *probe.PATIENT)
                running = self.start(*arguments, sockets=2, name=f"merging-{merging}")
                with socket.create_connection(("10.9.0.2", 9000), timeout=10) as client:
                    for _ in range(20):
                        client.sendall(b"go\n" * 60)
                        left = 60_000
                        while left:
                            left -= len(client.recv(left))
                result = running.stop()
                self.assertEqual(result.status, 0, result.err)
                warnings = [line for line in result.err.splitlines() if "merges packets" in line]
                self.assertEqual(len(warnings), merging, warnings)
                if merging:
                    self.assertRegex(warnings[0], r"near0: GRO merges .*ethtool -K near0 gro off")
                records = [r for records in self.flows(running.name).values() for _, r in records]
                answers = next(r for r in records if r["sourceTransportPort"] == 9000)
                self.assertGreater(answers["octetDeltaCount"], 20 * 60_000)
                self.assertEqual(answers["pen99999_128"], 1460, "tcp_mss")
                largest = answers["octetDeltaCount"] / answers["packetDeltaCount"]
                self.assertEqual(answers["pen99999_139"] >> 12 & 1, merging, "bit 12 of tcp_quality")
                self.assertEqual(largest > 1500, merging, answers)

    def test_a_collector_may_come_late_and_go_for_a_while(self):
        wire = Wire(self)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        running = probe.Running(
            self,
            "-interface",
            "near0",
            "-collector",
            f"127.0.0.1:{port}",
            "--counters",
            self.path("a.json"),
            "--filter",
            "udp",
            "--set",
            "export.inactive_timeout=1s",
            "--set",
            "export.template_interval=1s",
        )
        running.name = "a"
        probe.wait_for("the program is capturing", lambda: "capturing on near0" in running.text())
        wire.talk(0, 0)  # datagrams, exported after a second of silence, to nobody
        select.select([], [], [], 2.5)
        self.assertIsNone(running.process.poll(), running.text())
        reader = self.collect(wire, port)  # then the collector is there
        self.assertGreater(len(reader.records), 0)
        wire.talk(0, 0)  # and away again
        select.select([], [], [], 2.5)
        self.assertIsNone(running.process.poll(), running.text())
        self.assertGreater(len(self.collect(wire, port).records), 0)  # and back
        result = running.stop()
        self.assertEqual(result.status, 0, result.err)
        self.counters(running)

    def collect(self, wire, port):
        """Listens until a record came; the collector knows nothing from before, so templates must have come too."""
        reader = ipfix.Reader(late=True)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", port))
            s.settimeout(1)
            waiting, end = True, time.monotonic() + 20
            while waiting and time.monotonic() < end:
                wire.talk(0, 0)
                try:
                    data = s.recv(65536)
                    while True:
                        if reader.templates or ipfix.has_templates(data):
                            reader.message(data)
                        waiting = not reader.records
                        data = s.recv(65536)
                except TimeoutError:
                    pass
        return reader

    def test_an_interface_that_goes_down_and_up_is_waited_for(self):
        wire = Wire(self)
        running = self.start("--filter", "udp", *probe.PATIENT)
        wire.talk(0, 0)
        probe.ip("link", "set", "near0", "down")
        select.select([], [], [], 0.5)
        cpu = cpu_seconds(running.process.pid)
        select.select([], [], [], 1.0)
        self.assertLess(cpu_seconds(running.process.pid) - cpu, 0.5, "a link that is down is no reason to spin")
        self.assertIsNone(running.process.poll(), running.text())
        probe.ip("link", "set", "near0", "up")
        probe.ip("addr", "replace", "fd00:9::1/64", "dev", "near0", "nodad")
        probe.wait_for("capturing again", lambda: probe.packet_sockets("near0") > 0)
        select.select([], [], [], 0.5)
        wire.talk(0, 0)
        self.assertEqual(running.stop().status, 0)
        self.assertEqual(self.counters(running)["packets_received"], 160)

    def test_a_bad_filter_on_a_live_interface_starts_nothing(self):
        Wire(self)
        result = self.run_probe("-interface", "near0", "--filter", "tcp prot 80")
        self.assertEqual(result.status, 78)
        self.assertEqual(len(result.errors()), 1, result.err)

    def test_promiscuous_mode_is_asked_for_and_given_back(self):
        Wire(self)
        flags = "/sys/class/net/near0/flags"
        running = self.start(*probe.PATIENT)
        probe_flags = promiscuity("near0")
        self.assertEqual(running.stop().status, 0)
        self.assertEqual((probe_flags > 0, promiscuity("near0")), (True, 0), flags)
        running = self.start(*probe.PATIENT, "--set", "capture.promiscuous=false")
        self.assertEqual(promiscuity("near0"), 0)
        self.assertEqual(running.stop().status, 0)


def promiscuity(interface):
    shown = subprocess.run(["ip", "-d", "link", "show", interface], check=True, capture_output=True, text=True).stdout
    return int(shown.split("promiscuity ")[1].split()[0])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled(path, rest=0.3):
    """True once the file did not grow for a moment."""
    before = os.path.getsize(path)
    select.select([], [], [], rest)
    return os.path.getsize(path) == before and before > 24


if __name__ == "__main__":
    probe.enter_namespace()
    for tool in ("ip", "tcpdump", "nsenter", "unshare"):
        if not shutil.which(tool):
            probe.skip(f"{tool} is missing")
    probe.ip("link", "set", "lo", "up")
    probe.main()
