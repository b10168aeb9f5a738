# SPDX-License-Identifier: Apache-2.0
"""Several processes share one interface: every packet is counted once in all, no conversation is torn apart.

Two-way TCP, plain and inside VXLAN, is sent through a veth pair in a private namespace: what clients say arrives at the
captured end, what servers answer departs from it.  The sender knows how many packets of which flow it sent.

As it stands it takes seconds; with --full behind the program two million packets are sent.
"""

import ctypes
import ipaddress
import json
import os
import re
import select
import signal
import socket
import struct
import sys
import threading
import time

import ipfix
import probe
import traffic
from manager import Manager

FULL = "--full" in sys.argv
PACKETS = 2_000_000 if FULL else 200_000
RATE = 60_000  # packets a second: a busy machine of two processors keeps up, so that nothing is dropped
CONVERSATIONS = 250  # of each kind
GROUP = ("--set", "capture.fanout_group=4711", "--set", "capture.workers=1", "--set", "decode.tunnels=inner")

# One round of a conversation: a request, its acknowledgment, an answer, its acknowledgment.
ROUND = """
0 > 1000 5000 200 PA 501
1 < 5000 1200 0   A  502
2 < 5000 1200 900 PA 502
3 > 1200 5900 0   A  501
"""


def in_vxlan(frame, answer, number):
    """The frame inside VXLAN.  Either end takes an outer port of its own for the conversation, as real ones do."""
    port = 49152 + (number * 7919 + (4099 if answer else 0)) % 16384
    source, destination = ("10.77.0.2", "10.77.0.1") if answer else ("10.77.0.1", "10.77.0.2")
    datagram = struct.pack("!HHHH", port, 4789, 16 + len(frame), 0) + struct.pack("!II", 8 << 24, 77 << 8) + frame
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), number, 0x4000, 64, 17, 0)
    head += ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    head = head[:10] + struct.pack("!H", traffic.checksum(head)) + head[12:]
    return frame[:12] + b"\x08\x00" + head + datagram


class Traffic:
    """One round of all conversations: frames with their way, and how many packets each flow has in it."""

    def __init__(self):
        self.frames, self.packets = [], {}
        for number in range(CONVERSATIONS * 2):
            capture = traffic.Capture()
            client, server = traffic.Host(1 + number), traffic.Host(40_000 + number % 7)
            tunnelled, version = number % 2 == 1, 4 if number % 4 < 2 else 6
            capture.tcp(number, client, server, version, 20_000 + number, 443, ROUND)
            for _, frame in capture.sorted().frames:
                answer = frame[6:12] == traffic.mac(server.mac)
                self.frames.append((answer, in_vxlan(frame, answer, number) if tunnelled else frame))
            for key, flow in capture.flows.items():
                self.packets[key] = flow["packetDeltaCount"]
        self.size = len(self.frames)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class Message(ctypes.Structure):  # struct mmsghdr of recvmmsg(2)
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint),
        ("vectors", ctypes.POINTER(Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    ]


class Sender:
    """Sends rounds: requests enter the wire at its far end, answers at the captured one."""

    CHUNK = 32

    def __init__(self, traffic_of_a_round):
        self.send = ctypes.CDLL(None, use_errno=True).sendmmsg
        self.traffic = traffic_of_a_round
        self.keep, self.plan, self.rounds = [], [], 0
        self.sockets = []
        for interface in ("far0", "near0"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.bind((interface, 0))
            self.sockets.append(s)
        # In the order of the frames, cut where the direction changes.
        frames = sorted(traffic_of_a_round.frames, key=lambda f: f[0])
        for answer in (False, True):
            way = [f for a, f in frames if a == answer]
            for i in range(0, len(way), self.CHUNK):
                self.plan.append((i, self.sockets[answer], self.messages(way[i : i + self.CHUNK])))
        self.plan = [(s, m) for _, s, m in sorted(self.plan, key=lambda p: p[0])]

    def messages(self, frames):
        array = (Message * len(frames))()
        for i, frame in enumerate(frames):
            octets = ctypes.create_string_buffer(frame, len(frame))
            vector = Vector(ctypes.cast(octets, ctypes.c_void_p), len(frame))
            self.keep += [octets, vector]
            array[i].vectors, array[i].vector_count = ctypes.pointer(vector), 1
        return array

    def go(self, packets):
        """At least so many packets, in whole rounds."""
        begin, sent = time.monotonic(), 0
        while sent < packets:
            for s, messages in self.plan:
                done = 0
                while done < len(messages):
                    at = ctypes.byref(messages, done * ctypes.sizeof(Message))
                    count = self.send(s.fileno(), at, len(messages) - done, 0)
                    if count <= 0:
                        raise OSError(ctypes.get_errno(), "sendmmsg")
                    done += count
                sent += done
                ahead = begin + sent / RATE - time.monotonic()
                if ahead > 0.001:
                    select.select([], [], [], ahead)
            self.rounds += 1

    @property
    def sent(self):
        return self.rounds * self.traffic.size

    def close(self):
        for s in self.sockets:
            s.close()


class Fanout(probe.Case):
    def setUp(self):
        super().setUp()
        probe.ip("link", "add", "near0", "type", "veth", "peer", "name", "far0")
        self.addCleanup(probe.ip, "link", "del", "near0")
        for name in ("near0", "far0"):
            probe.ip("link", "set", name, "addrgenmode", "none", "arp", "off", "up")
        self.traffic = Traffic()
        self.sender = Sender(self.traffic)
        self.addCleanup(self.sender.close)

    def start(self, number, *more):
        """The process with this number, which is its Observation Domain, too."""
        running = probe.Running(self, *self.arguments(number, *more))
        running.number, running.name = number, f"process{number}"
        probe.wait_for("the program is capturing", lambda: self.captures(running))
        return running

    def arguments(self, number, *more, name=None):
        name = self.path(name or f"process{number}")
        return (
            *("-interface", "near0", "--write-ipfix", name + ".ipfix", "--counters", name + ".json"),
            *("--output", "none", "--set", "capture.buffer_size_mb=32", "--set", f"export.domain_id={number}"),
            *("--set", "flow.max_flows=10000", *GROUP, *probe.PATIENT, *more),
        )

    def captures(self, running):
        self.assertIsNone(running.process.poll(), running.text())
        return "capturing on near0" in running.text()

    def start_kept(self, manager, number, name):
        """The same under a service manager that keeps its socket."""
        ready = manager.count("READY")
        running = manager.start(*self.arguments(number, name=name))
        running.number, running.name = number, name
        manager.wait("READY", ready + 1)
        return running

    def stop(self, running):
        """Its counters at its end."""
        result = running.stop()
        self.assertEqual(result.status, 0, result.err)
        with open(self.path(f"{running.name}.json"), encoding="utf-8") as file:
            counters = json.load(file)
        self.assert_identity(counters)
        self.assertEqual(counters["packets_dropped"], 0)
        return counters

    def received(self, running):
        """Packets that the running process has received so far, as it says when it is asked."""
        before = running.text().count("statistics:")
        running.process.send_signal(signal.SIGUSR1)
        probe.wait_for("a line of counters", lambda: running.text().count("statistics:") > before)
        return int(re.findall(r"packets_received=(\d+)", running.text())[-1])

    def receive(self, members, packets):
        """Waits until the members have received so many in all; says how many they have."""

        def enough():
            self.total = sum(self.received(m) for m in members)
            return self.total >= packets

        try:
            probe.wait_for("all packets are received", enough)
        except AssertionError:
            pass  # the caller compares
        return self.total

    def records(self, *members):
        """Flow -> domain -> packets, from the files of the members; each has one domain, its own."""
        flows = {}
        for member in members:
            reader = ipfix.read_file(self.path(f"{member.name}.ipfix"))
            self.assertEqual(list(reader.sequence), [member.number])
            for record in reader.records:
                domains = flows.setdefault(ipfix.key(record), {})
                domains[member.number] = domains.get(member.number, 0) + record["packetDeltaCount"]
        return flows

    @staticmethod
    def torn(flows):
        """Conversations that are in more than one domain."""
        homes = {}
        for (source, destination, sport, dport, protocol), domains in flows.items():
            both_ends = frozenset(((source, sport), (destination, dport))), protocol
            homes.setdefault(both_ends, set()).update(domains)
        return sum(1 for domains in homes.values() if len(domains) > 1), len(homes)

    def assert_complete(self, flows):
        """Every flow has as many packets as were sent of it."""
        sent = {key: packets * self.sender.rounds for key, packets in self.traffic.packets.items()}
        self.assertEqual({key: sum(domains.values()) for key, domains in flows.items()}, sent)

    def test_four_processes_count_each_packet_once_and_tear_no_conversation(self):
        members = [self.start(i) for i in (1, 2, 3, 4)]
        self.assertTrue(all("steered by a" in m.text() for m in members), members[0].text())
        self.sender.go(PACKETS)
        self.receive(members, self.sender.sent)
        counters = [self.stop(m) for m in members]
        shares = [c["packets_received"] for c in counters]
        self.assertEqual(sum(shares), self.sender.sent)
        self.assertGreater(min(shares), self.sender.sent / 4 / 2, shares)
        flows = self.records(*members)
        self.assert_complete(flows)
        self.assertEqual(self.torn(flows), (0, CONVERSATIONS * 2))
        print(f"\n  {self.sender.sent} packets, shares {shares}, 0 of {CONVERSATIONS * 2} conversations torn")

    def test_by_the_outer_headers_conversations_in_vxlan_are_torn(self):
        """What steering is for, and that this test would see it."""
        members = [self.start(i, "--set", "capture.fanout_mode=hash") for i in (1, 2, 3, 4)]
        self.sender.go(4 * self.traffic.size)
        self.receive(members, self.sender.sent)
        self.assertEqual(sum(self.stop(m)["packets_received"] for m in members), self.sender.sent)
        flows = self.records(*members)
        self.assert_complete(flows)
        torn, all_of_them = self.torn(flows)
        # Both directions by chance in one of four: a quarter of those in tunnels.
        self.assertGreater(torn, CONVERSATIONS / 2)
        self.assertLessEqual(torn, CONVERSATIONS)
        print(f"\n  by hash {torn} of {all_of_them} conversations torn")

    def test_members_that_come_and_go_cost_the_others_nothing(self):
        share = max(PACKETS // 10, 4 * self.traffic.size)
        members = [self.start(i) for i in (1, 2, 3)]
        self.sender.go(share)
        self.assertEqual(self.receive(members, self.sender.sent), self.sender.sent)
        # One comes while packets are under way: what its filter still keeps out when it is a member already is missing.
        running = threading.Thread(target=self.sender.go, args=(share,))
        running.start()
        members.append(self.start(4))
        running.join()
        settle()
        missing = self.sender.sent - sum(self.received(m) for m in members)
        self.assertGreaterEqual(missing, 0)
        self.assertLess(missing, share / 20)
        print(f"\n  {missing} packets missing while a member came")
        self.sender.go(share)
        self.assertEqual(self.receive(members, self.sender.sent - missing), self.sender.sent - missing)
        # One is killed when its ring is empty, one leaves: the others go on as if nothing had happened.
        for leave in (lambda m: (m.process.kill(), m.process.wait()), self.stop):
            leave(members.pop())
            expected = sum(self.received(m) for m in members) - self.sender.sent
            self.sender.go(share)
            expected += self.sender.sent
            self.assertEqual(self.receive(members, expected), expected)
        for member in members:
            self.stop(member)

    def test_with_kept_sockets_a_restart_maps_nothing_anew_and_loses_nothing(self):
        """One of four is killed and stopped; packets are under way until it is there again."""
        manager = Manager(self)
        others = [self.start(i) for i in (1, 2, 3)]
        kept = [self.start_kept(manager, 4, "killed")]
        share = max(PACKETS // 4, 10 * self.traffic.size)
        self.sender.go(self.traffic.size)
        self.receive([*others, *kept], self.sender.sent)
        # When its ring is empty, so that what is in its table, which is lost, is known: it is the first round.
        kept[0].process.kill()
        kept[0].process.wait()
        for again in ("stopped", "last"):
            sending = threading.Thread(target=self.sender.go, args=(share,))
            sending.start()
            select.select([], [], [], 0.2)
            if again == "last":
                first = self.stop(kept[-1])["packets_received"]
            kept.append(self.start_kept(manager, 4, again))
            self.assertIn("going on with the rings of the process before", kept[-1].text())
            sending.join()
            settle()
        received = first + self.stop(kept[-1])["packets_received"]
        for member in others:
            self.stop(member)
        flows = self.records(*others, *kept[1:])
        self.assertEqual(self.torn(flows), (0, CONVERSATIONS * 2))
        for key, domains in flows.items():
            ((domain, packets),) = domains.items()
            rounds = self.sender.rounds - (1 if domain == 4 else 0)
            self.assertEqual(packets, rounds * self.traffic.packets[key], key)
        self.assertEqual(received, sum(domains.get(4, 0) for domains in flows.values()))
        print(f"\n  {self.sender.sent} packets over two restarts of one of four: none lost, none twice, none torn")

    def test_without_kept_sockets_a_restart_maps_most_conversations_anew(self):
        members = [self.start(i) for i in (1, 2, 3, 4)]
        self.sender.go(self.traffic.size)
        self.receive(members, self.sender.sent)
        self.stop(members[3])
        self.sender.go(self.traffic.size)
        settle()
        for member in members[:3]:
            self.stop(member)
        torn, all_of_them = self.torn(self.records(*members))
        print(f"\n  {torn} of {all_of_them} conversations mapped anew when the last of four members left")
        # The hash modulo 4 and modulo 3 are the same number for three of twelve.
        self.assertAlmostEqual(torn / all_of_them, 0.75, delta=0.1)


def settle():
    """The kernel hands a block over after 60 ms, full or not."""
    select.select([], [], [], 0.3)


if __name__ == "__main__":
    probe.enter_namespace()
    if FULL:
        sys.argv.remove("--full")
    probe.main()
