# SPDX-License-Identifier: Apache-2.0
"""Outputs that fail: the run ends in time, says why, and counts as sent only what somebody took."""

import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import ipfix
import probe
import traffic

FAILURE, CONFIGURATION = 1, 78
MANY = 20_000  # more than any pipe or socket takes


def flows(count):
    c = traffic.Capture()
    for i in range(count):
        c.udp(traffic.START + i * 1000, traffic.Host(i // 60000 + 1), traffic.Host(9), 4, 1 + i % 60000, 2000, 10)
    return traffic.pcap(c.frames)


def whole_messages(data):
    """Octets of the IPFIX Messages in `data`; raises when the last one is cut."""
    at = 0
    while at < len(data):
        version, size = struct.unpack_from(">HH", data, at)
        assert version == 10 and at + size <= len(data), f"half a message at {at}"
        at += size
    return at


class Outputs(probe.Case):
    def capture(self, count=5000):
        return self.path("in.pcap", flows(count))

    def meter(self, *more, count=5000, **how):
        return self.run_probe("--read", self.capture(count), "--counters", self.path("counters.json"), *more, **how)

    def all_lost(self, result, count=5000):
        c = result.counters()
        self.assert_identity(c)
        self.assertEqual((c["records_sent"], c["records_not_sent"]), (0, count))
        self.assertEqual((c["packets_in_records_sent"], c["packets_in_records_not_sent"]), (0, count))

    def test_a_device_that_is_full_fails_the_run_and_the_reason_is_told_once(self):
        for how in ("table", "json"):
            with self.subTest(how), open("/dev/full", "wb") as full:
                done = subprocess.run(
                    [probe.BINARY, "--read", self.capture(), "--output", how, "--counters", self.path("counters.json")],
                    stdout=full,
                    stderr=subprocess.PIPE,
                    timeout=probe.LIMIT,
                    env=probe.clean_environment(),
                    check=False,
                )
                result = probe.Result(done.returncode, "", done.stderr.decode(), self.folder)
                self.assertEqual(result.status, FAILURE)
                self.assertEqual(result.err.count("No space left on device"), 1, result.err)
                self.all_lost(result)
        result = self.meter("--output", "none", "--write-ipfix", "/dev/full")
        self.assertEqual(result.status, FAILURE)
        self.assertEqual(result.err.count("No space left on device"), 1, result.err)
        self.all_lost(result)

    def test_a_reader_who_has_seen_enough_is_no_failure(self):
        for how in (("--output", "json"), ("--output", "none", "--write-ipfix", "-")):
            with self.subTest(how):
                command = [probe.BINARY, "--read", self.capture(MANY), *how]
                running = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=probe.clean_environment()
                )
                self.addCleanup(running.wait)
                self.assertEqual(len(running.stdout.read(1)), 1)
                running.stdout.close()
                err = running.stderr.read().decode()
                running.stderr.close()
                self.assertEqual(running.wait(probe.LIMIT), 0, err)
                self.assertNotIn("roken pipe", err)
                self.assertNotIn(" error ", err)

    def test_a_fifo_without_a_reader_is_refused_at_once(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        for how in (("--write-ipfix", fifo), ("--set", "export.collectors=file://" + fifo)):
            began = time.monotonic()
            result = self.meter(*how)
            self.assertLess(time.monotonic() - began, 10)
            self.assertEqual(result.status, FAILURE)
            self.assertEqual(len(result.errors()), 1, result.err)
            self.assertIn("nobody reads this FIFO", result.err)

    def test_a_reader_that_does_not_read_delays_a_stop_by_seconds_and_gets_whole_messages(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        running = probe.Running(
            self,
            *("--read", self.capture(MANY), "--output", "none", "--write-ipfix", fifo),
            *("--counters", self.path("counters.json")),
        )
        writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        probe.wait_for("the pipe is full", lambda: not select.select([], [writer], [], 0)[1])
        os.close(writer)
        running.process.send_signal(signal.SIGHUP)
        began = time.monotonic()
        result = running.stop()
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(result.status, FAILURE, result.err)
        self.assertIn("records are lost", result.err)
        self.assertNotIn("bug", result.err)
        self.assert_identity(result.counters())
        data = b""
        while chunk := os.read(reader, 65536):
            data += chunk
        self.assertEqual(whole_messages(data), len(data))
        reader = ipfix.read_file(self.path("got", data))
        self.assertEqual(len(reader.records), result.counters()["records_sent"])

    def test_a_file_that_may_not_grow_holds_whole_messages_and_the_rest_is_counted(self):
        limit = 8 * 1024

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        done = subprocess.run(
            [probe.BINARY, "--read", self.capture(), "--output", "none", "--write-ipfix", self.path("out.ipfix")]
            + ["--counters", self.path("counters.json")],
            stderr=subprocess.PIPE,
            timeout=probe.LIMIT,
            preexec_fn=limited,
            env=probe.clean_environment(),
            check=False,
        )
        result = probe.Result(done.returncode, "", done.stderr.decode(), self.folder)
        self.assertEqual(result.status, FAILURE)
        self.assertEqual(result.err.count("File too large"), 1, result.err)
        self.assert_identity(result.counters())
        reader = ipfix.read_file(self.path("out.ipfix"))
        self.assertEqual(len(reader.records), result.counters()["records_sent"])

    def test_the_counters_file_is_tried_before_anything_is_read(self):
        for path, why in (("/no/such/folder/c.json", "No such file"), (self.folder, "folder")):
            result = self.run_probe("--read", "-", "--counters", path, stdin=b"")
            self.assertEqual(result.status, FAILURE)
            self.assertEqual(len(result.errors()), 1, result.err)
            self.assertIn(path, result.err)
            self.assertIn(why, result.err)

    def test_the_counters_file_follows_no_planted_link_and_leaves_nothing_behind(self):
        victim = self.path("victim", "untouched")
        os.symlink(victim, self.path("counters.json.new"))
        self.assertEqual(self.meter("--output", "none").status, 0)
        with open(victim, encoding="ascii") as file:
            self.assertEqual(file.read(), "untouched")
        left = [name for name in os.listdir(self.folder) if name.startswith("counters.json")]
        self.assertEqual(sorted(left), ["counters.json", "counters.json.new"])
        # A link is replaced, for a stranger may have set it; what it leads to is left alone.
        os.symlink(self.path("real.json", "old"), self.path("link.json"))
        result = self.run_probe("--read", self.capture(), "--output", "none", "--counters", self.path("link.json"))
        self.assertEqual(result.status, 0, result.err)
        self.assertFalse(os.path.islink(self.path("link.json")))
        with open(self.path("real.json"), encoding="ascii") as file:
            self.assertEqual(file.read(), "old")
        with open(self.path("link.json"), encoding="ascii") as file:
            self.assertEqual(json.load(file)["packets_received"], 5000)


class TcpCollectors(probe.Case):
    def test_what_a_collector_that_resets_has_not_taken_is_not_sent(self):
        got = []

        def serve(server):
            peer, _ = server.accept()
            server.close()
            data = b""
            while len(data) < 30_000:
                data += peer.recv(2000)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            got.append(data)

        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(probe.LIMIT)
        port = server.getsockname()[1]
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        result = self.run_probe(
            *("--read", self.path("in.pcap", flows(5000)), "--output", "none"),
            *("--set", f"export.collectors=tcp://127.0.0.1:{port}", "--counters", self.path("counters.json")),
        )
        thread.join()
        c = result.counters()
        self.assert_identity(c)
        self.assertEqual(c["records_sent"] + c["records_not_sent"], 5000)
        # Records of 82 octets: what the collector read, and what its socket may have held besides.
        self.assertLess(c["records_sent"], (len(got[0]) + 65536) / 82)
        self.assertGreater(c["messages_lost"], 0)
        self.assertEqual(result.status, FAILURE, result.err)
        self.assertEqual(result.err.count("not acknowledged"), 1, result.err)

    def test_a_collector_that_accepts_and_reads_nothing_is_not_credited_with_the_end(self):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            server.bind(("127.0.0.1", 0))
            server.listen()
            result = self.run_probe(
                *("--read", self.path("in.pcap", flows(5000)), "--output", "none"),
                *("--set", f"export.collectors=tcp://127.0.0.1:{server.getsockname()[1]}"),
                *("--counters", self.path("counters.json")),
            )
        self.assertEqual(result.status, FAILURE, result.err)
        self.assert_identity(result.counters())
        self.assertGreater(result.counters()["records_not_sent"], 4000)
        self.assertIn("not acknowledged at the end", result.err)


class Unreachable(probe.Case):
    def test_a_link_local_collector_without_its_interface_is_refused_with_the_right_form(self):
        for text in ("fe80::1", "udp://[fe80::1]:2055", "tcp://[fe80::1]"):
            result = self.run_probe("--read", "-", "--set", f"export.collectors={text}", stdin=b"")
            self.assertEqual(result.status, CONFIGURATION)
            self.assertIn("fe80::1%eth0", result.err)

    def test_a_collector_without_a_route_is_explained_once_and_its_records_are_counted(self):
        result = self.run_probe(
            *("--read", self.path("in.pcap", flows(100)), "-collector", "192.0.2.1:2055"),
            *("--counters", self.path("counters.json")),
            prefix=probe.in_namespaces(self, "--net"),
        )
        self.assertEqual(result.err.count("Network is unreachable"), 1, result.err)
        self.assert_identity(result.counters())
        self.assertEqual(result.counters()["records_not_sent"], 100)

    def test_name_servers_that_fail_are_asked_with_pauses_and_told_of_once(self):
        script = f"""
import os, socket, subprocess, sys, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", {self.path("resolv.conf", "nameserver 127.0.0.1" + chr(10))!r}, "/etc/resolv.conf"],
               check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
server.settimeout(0.1)
began = time.monotonic()
run = subprocess.Popen([{probe.BINARY!r}, "-interface", "lo", "--duration", "6s", "--set",
    "export.collectors=" + ",".join(["tcp://a.example.org:4739"] + [f"udp://b{{i}}.example.org" for i in range(20)])])
names = []
while run.poll() is None:
    try:
        data, sender = server.recvfrom(2000)
    except socket.timeout:
        continue
    names.append(data[12:].split(bytes(1))[0])
    server.sendto(data[:2] + bytes([0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 0]) + data[12:], sender)
print("of one name:", names.count(names[0]), "of all:", len(set(names)), "seconds:", int(time.monotonic() - began))
"""
        done = subprocess.run(
            [*probe.in_namespaces(self, "--net", "--mount"), sys.executable, "-c", script],
            capture_output=True,
            timeout=probe.LIMIT,
            env=probe.clean_environment(),
            check=False,
        )
        err = done.stderr.decode()
        found = done.stdout.decode().split()
        self.assertIn("of one name:", done.stdout.decode(), err)
        # Looked up at 0, 1, 3 and 7 s: each asks for two kinds of address, and each kind twice.
        self.assertLessEqual(int(found[3]), 24, done.stdout)
        self.assertEqual(int(found[6]), 21, done.stdout)
        self.assertLess(int(found[8]), 30)
        self.assertEqual(err.count('host "a.example.org": Temporary failure in name resolution'), 1, err)


if __name__ == "__main__":
    probe.main()
