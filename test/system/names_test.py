# SPDX-License-Identifier: Apache-2.0
"""Which interface a name stands for, while interfaces are renamed, made anew and given other names.

Live, on veth pairs in a network namespace of its own; the numbers are those of the frames sent.
"""

import fcntl
import os
import select
import shutil
import socket
import struct
import subprocess

import probe
import traffic


class Names(probe.Case):
    WAITING = {"NOTIFY_SOCKET": "/nonexistent"}  # as a service, which waits for what is not there

    def pair(self, near, far):
        probe.ip("link", "add", near, "type", "veth", "peer", "name", far)
        self.addCleanup(subprocess.run, ["ip", "link", "del", far], capture_output=True, check=False)
        for name in (near, far):
            probe.ip("link", "set", name, "addrgenmode", "none", "arp", "off", "up")

    def capture(self, interfaces, *more, env=None):
        running = probe.Running(
            self,
            *("-interface", interfaces, "--filter", "udp", "--output", "none"),
            *("--counters", self.path("counters.json"), "--set", "capture.buffer_size_mb=8", *probe.PATIENT, *more),
            env=env,
        )
        probe.wait_for("the program is capturing", lambda: self.said(running, "capturing on"))
        return running

    def said(self, running, text):
        self.assertIsNone(running.process.poll(), running.text())
        return text in running.text()

    def send(self, interface, count):
        a, b = traffic.Host(1), traffic.Host(2)
        c = traffic.Capture()
        c.udp(1, a, b, 4, 1, 2, 50)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((interface, 0))
            for _ in range(count):
                s.send(c.frames[0][1])

    def received(self, running):
        result = running.stop()
        self.assertEqual(result.status, 0, result.err)
        self.assert_identity(result.counters())
        return result.counters()["packets_received"]

    def test_a_ring_follows_its_name_when_another_interface_has_it(self):
        for workers in ("1", "3"):
            for while_down in (True, False):
                with self.subTest(workers=workers, while_down=while_down):
                    self.pair("va", "peer0")
                    running = self.capture("va", "--set", f"capture.workers={workers}")
                    self.send("peer0", 3)
                    if while_down:
                        probe.ip("link", "set", "va", "down")
                    probe.ip("link", "set", "va", "name", "old")
                    self.pair("va", "peer1")
                    probe.ip("link", "set", "old", "up")
                    probe.wait_for("the new one is captured", lambda: self.said(running, "is up, capturing"))
                    rings = probe.packet_sockets
                    probe.wait_for("all rings moved", lambda: (rings("va"), rings("old")) == (int(workers), 0))
                    self.send("peer0", 50)
                    self.send("peer1", 4)
                    self.assertEqual(self.received(running), 7)
                    self.doCleanups()
                    self.setUp()

    def test_a_name_that_is_gone_is_waited_for(self):
        self.pair("va", "peer0")
        running = self.capture("va")
        probe.ip("link", "set", "va", "down")
        probe.ip("link", "set", "va", "name", "old")
        probe.ip("link", "set", "old", "up")
        probe.wait_for("the ring is given up", lambda: probe.packet_sockets("old") == 0)
        self.send("peer0", 50)
        for command in (("old", "down"), ("old", "name", "va"), ("va", "up")):
            probe.ip("link", "set", *command)
        probe.wait_for("it is back", lambda: probe.packet_sockets("va") == 1)
        self.send("peer0", 2)
        self.assertEqual(self.received(running), 2)

    def test_an_alternative_name_is_as_good_as_the_first_and_stays_when_that_changes(self):
        long = "an-alternative-name-that-is-too-long-for-an-ioctl"
        for name in ("alt0", long):
            with self.subTest(name):
                self.pair("va", "peer0")
                probe.ip("link", "property", "add", "dev", "va", "altname", name)
                running = self.capture(name)
                self.send("peer0", 2)
                probe.ip("link", "set", "va", "down")
                probe.ip("link", "set", "va", "name", "vb")
                probe.ip("link", "set", "vb", "up")
                probe.wait_for("it is up again", lambda: self.said(running, "is up, capturing"))
                self.send("peer0", 3)
                self.assertEqual(self.received(running), 5)
                self.doCleanups()
                self.setUp()

    def test_two_names_of_one_interface_are_refused(self):
        self.pair("va", "peer0")
        probe.ip("link", "property", "add", "dev", "va", "altname", "alt0")
        for names in ("va,alt0", "alt0,va"):
            first, second = names.split(",")
            result = self.run_probe("-interface", names, "--output", "none", "--duration", "1s")
            self.assertEqual(result.status, 78, result.err)
            self.assertEqual(len(result.errors()), 1, result.err)
            self.assertIn(f"{first} and {second} are the same interface", result.err)

    def test_a_second_name_that_comes_later_is_not_captured_twice(self):
        self.pair("va", "peer0")
        for workers in ("1", "3"):
            running = self.capture("later,va", "--set", f"capture.workers={workers}", env=self.WAITING)
            probe.wait_for("va is captured", lambda: probe.packet_sockets("va") == int(workers))
            probe.ip("link", "property", "add", "dev", "va", "altname", "later")
            probe.wait_for("it is said", lambda: self.said(running, "va and later are the same interface"))
            self.send("peer0", 5)
            self.assertEqual(self.received(running), 5)
            probe.ip("link", "property", "del", "dev", "va", "altname", "later")

    def test_an_interface_that_comes_back_with_a_kind_that_is_not_decoded_is_named_once(self):
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            self.skipTest("/dev/net/tun is not there or not for us")
        self.pair("va", "peer0")
        running = self.capture("va")
        probe.ip("link", "del", "va")
        with open("/dev/net/tun", "r+b", buffering=0) as tun:
            fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"va", 0x1001))  # TUNSETIFF: IFF_TUN | IFF_NO_PI
            fcntl.ioctl(tun, 0x400454CD, 824)  # TUNSETLINK: ARPHRD_NETLINK
            probe.ip("link", "set", "va", "up")
            probe.wait_for("it is said", lambda: self.said(running, "va has hardware type 824"))
            select.select([], [], [], 1.5)
            self.assertEqual(running.text().count("hardware type 824"), 1, running.text())
        self.pair("va", "peer1")
        probe.wait_for("it is captured", lambda: probe.packet_sockets("va") == 1)
        self.send("peer1", 3)
        self.assertEqual(self.received(running), 3)

    def test_a_filter_that_the_kernel_has_no_room_for_when_the_interface_comes_back_lets_nothing_in(self):
        room = "/proc/sys/net/core/optmem_max"
        with open(room, encoding="ascii") as file:
            before = file.read()

        def set_room(octets):
            with open(room, "w", encoding="ascii") as file:
                file.write(octets)

        try:
            set_room(before)
        except OSError:
            self.skipTest("net.core.optmem_max is not ours")
        self.addCleanup(set_room, before)
        self.pair("va", "peer0")
        ports = " or ".join(f"port {i}" for i in range(9, 60))
        running = self.capture("va", "--filter", f"udp and not ({ports})")
        probe.ip("link", "del", "va")
        set_room("500")
        self.pair("va", "peer0")
        probe.wait_for("it is said", lambda: self.said(running, "net.core.optmem_max"))
        self.assertIn("capture.bpf_filter", running.text())
        self.send("peer0", 20)
        self.assertEqual(probe.packet_sockets("va"), 0)
        set_room(before)
        probe.wait_for("it is captured", lambda: probe.packet_sockets("va") == 1)
        self.send("peer0", 3)
        self.assertEqual(self.received(running), 3)

    def test_a_name_that_is_no_text_is_shown_as_text(self):
        probe.ip("link", "add", "va", "type", "veth", "peer", "name", b"b\xff\x1bc")
        self.addCleanup(probe.ip, "link", "del", "va")
        for name in ("va", b"b\xff\x1bc"):
            probe.ip("link", "set", name, "up")
        running = self.capture(b"va,b\xff\x1bc")
        self.send("va", 1)
        result = running.stop()
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("b\\xff\\x1bc", result.err)
        self.assertIn("b\\xff\\x1bc", result.counters()["interfaces"])  # json and UTF-8 are strict
        for text in (result.err, self.run_probe("-list-interfaces").out):
            self.assertNotIn("\x1bc", text)
            self.assertNotIn("\ufffd", text)


if __name__ == "__main__":
    probe.enter_namespace()
    for tool in ("ip", "unshare"):
        if not shutil.which(tool):
            probe.skip(f"{tool} is missing")
    probe.ip("link", "set", "lo", "up")
    probe.main()
