# SPDX-License-Identifier: Apache-2.0
"""The program as a service: readiness, watchdog, reload.  The manager is played by manager.py."""

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import ipfix
import probe
from manager import Manager

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
PATIENT = """
  active_timeout: 1000000s
  inactive_timeout: 1000000s
"""


class Frozen:
    """One thread of a process, stopped for as long as the block lasts; the others go on.  ptrace(2)."""

    def __init__(self, pid, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/comm", encoding="ascii") as file:
                if file.read().strip() == name:
                    self.thread = int(thread)

    def call(self, request):
        if self.libc.ptrace(request, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")

    def __enter__(self):
        self.call(PTRACE_SEIZE)
        self.call(PTRACE_INTERRUPT)
        os.waitpid(self.thread, 0x40000000)  # __WALL

    def __exit__(self, *_):
        self.call(PTRACE_DETACH)


def send_udp(count, port=7000):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("10.9.0.1", 6000))
        for i in range(count):
            s.sendto(b"x" * 20, ("10.9.0.2", port))
            if i % 100 == 99:
                time.sleep(0.005)


class Service(probe.Case):
    def setUp(self):
        super().setUp()
        neighbour = probe.Neighbour()
        self.addCleanup(neighbour.close)
        # Nobody answers: what is sent is what there is.
        probe.ip("neigh", "replace", "10.9.0.2", "lladdr", "02:00:00:00:00:99", "dev", "near0", "nud", "permanent")
        self.manager = Manager(self)

    def write(self, text):
        return self.path("probe.yaml", text)

    def start(self, *arguments, **how):
        before = self.manager.count("READY")
        running = self.manager.start(
            "-config",
            self.path("probe.yaml"),
            "--counters",
            self.path("counters.json"),
            "--output",
            "none",
            *arguments,
            **how,
        )
        self.manager.wait("READY", before + 1)
        return running

    def reload(self, running):
        before = self.manager.count("READY")
        running.process.send_signal(signal.SIGHUP)
        self.manager.wait("READY", before + 1)

    def stop(self, running):
        result = running.stop()
        self.assertEqual(result.status, 0, result.err)
        counters = result.counters()
        self.assert_identity(counters)
        return result, counters


class Watchdog(Service):
    def test_ready_then_fed_then_stopping(self):
        self.write("capture:\n  interface: near0\n")
        running = self.start(watchdog=1)
        self.manager.wait("WATCHDOG", 3)
        self.stop(running)
        states = [key for m in self.manager.messages for key in m if key in ("READY", "STOPPING")]
        self.assertEqual(states[0], "READY")
        self.assertIn("STOPPING", states)
        self.assertIn("Capturing from near0", next(m["STATUS"] for m in self.manager.messages if "READY" in m))

    def test_an_interface_that_is_not_there_yet_is_waited_for_and_said_in_the_status(self):
        self.write("capture:\n  interface: later0\n")
        running = self.start()
        self.assertIn("waiting for", self.manager.messages[-1]["STATUS"])
        probe.ip("link", "add", "later0", "type", "veth", "peer", "name", "later1")
        self.addCleanup(probe.ip, "link", "del", "later0")
        for name in ("later0", "later1"):
            probe.ip("link", "set", name, "up")
        probe.wait_for(
            "the status is another",
            lambda: any("waiting" not in m.get("STATUS", "waiting") for m in self.manager.messages),
        )
        self.stop(running)

    def test_one_frozen_thread_stops_the_feeding_and_it_comes_back_with_it(self):
        self.write("capture:\n  interface: near0\n  workers: 2\n")
        running = self.start(watchdog=1)
        for name in ("capture-1", "export"):
            with self.subTest(name):
                self.manager.wait("WATCHDOG", self.manager.count("WATCHDOG") + 1)
                with Frozen(running.process.pid, name):
                    logged = running.text().count("the watchdog is not fed: " + name)
                    probe.wait_for(
                        "the log says who", lambda: running.text().count("the watchdog is not fed: " + name) > logged
                    )
                    fed = self.manager.count("WATCHDOG")
                    select.select([], [], [], 1.0)  # a watchdog's whole time
                    self.assertEqual(self.manager.count("WATCHDOG"), fed)
                self.manager.wait("WATCHDOG", fed + 1)
        self.stop(running)


class Reload(Service):
    def test_a_filter_a_level_and_timeouts_are_taken_over_and_the_flow_table_stays(self):
        base = "capture:\n  interface: near0\n  bpf_filter: udp port {}\nlog:\n  level: {}\nexport:" + PATIENT
        self.write(base.format(7000, "info"))
        running = self.start("--write-ipfix", self.path("flows.ipfix"))
        send_udp(10, 7000)
        send_udp(10, 7001)
        self.write(base.format("7001 or udp port 7000", "debug"))
        self.reload(running)
        send_udp(5, 7000)
        send_udp(5, 7001)
        self.assertIn("now in force: capture.bpf_filter, log.level", running.text())
        result, counters = self.stop(running)
        self.assertEqual(counters["packets_received"], 20)
        flows = {r["destinationTransportPort"]: r["packetDeltaCount"] for r in self.records("flows.ipfix")}
        self.assertEqual(flows, {7000: 15, 7001: 5}, "the flow that began before goes on in its entry")

    def records(self, name):
        return ipfix.read_file(self.path(name)).records

    def test_a_bad_file_changes_nothing_and_is_said_with_its_place(self):
        self.write("capture:\n  interface: near0\n  bpf_filter: udp port 7000\n")
        running = self.start("--write-ipfix", self.path("flows.ipfix"))
        for text, words in (
            ("capture:\n  interface: near0\n  bpf_filter: udp prot 1\n", "probe.yaml:3:15: capture.bpf_filter"),
            ("capture:\n  interface: near0\n  bpf_filter: ip protochain 17\n", "the kernel refuses"),
            ("capture:\n  snap_lenn: 1\n", "probe.yaml:2:3: capture.snap_lenn"),
            ("capture: [\n", "probe.yaml:"),
            (
                "capture:\n  interface: near0\n  bpf_filter: udp\n"
                "export:\n  collectors: ['file:///no-such-folder/x']\n",
                "no-such-folder",
            ),
        ):
            with self.subTest(text):
                before = running.text().count("the settings stay as they were")
                self.write(text)
                self.reload(running)
                lines = [line for line in running.text().splitlines() if "the settings stay as they were" in line]
                self.assertEqual(len(lines), before + 1)
                self.assertIn(words, lines[-1])
        send_udp(10, 7000)
        send_udp(10, 7001)
        _, counters = self.stop(running)
        self.assertEqual(counters["packets_received"], 10)
        states = [next(iter(m)) for m in self.manager.messages if "READY" in m or "RELOADING" in m]
        self.assertEqual(states, ["READY"] + ["RELOADING", "READY"] * 5)

    def test_what_needs_a_restart_is_named_in_one_line_and_the_command_line_stays_in_force(self):
        self.write("capture:\n  interface: elsewhere\nexport:\n  active_timeout: 50s\n")
        running = self.start("-interface", "near0", "--set", "export.active_timeout=40s")
        self.write(
            "capture:\n  interface: nowhere\n  snap_len: 96\nflow:\n  max_flows: 1000\nexport:\n  active_timeout: 60s\n"
        )
        self.reload(running)
        text = running.text()
        self.assertEqual(text.count("a restart is needed to change capture.snap_len, flow.max_flows;"), 1, text)
        self.assertIn("nothing to change", text)
        self.stop(running)

    def test_collectors_come_and_go_and_one_that_stays_keeps_session_and_sequence(self):
        stays, goes, comes = (Collector(self) for _ in range(3))
        form = (
            "capture:\n  interface: near0\n  bpf_filter: udp portrange 7000-7999\n"
            "export:\n  inactive_timeout: 100ms\n  collectors: [{}]\n"
        )
        self.write(form.format(", ".join(f'"127.0.0.1:{c.port}"' for c in (stays, goes))))
        running = self.start()
        send_udp(20, 7001)
        probe.wait_for("both got it", lambda: stays.flows(7001) == 20 and goes.flows(7001) == 20)
        self.write(
            form.format(", ".join(f'"127.0.0.1:{c.port}"' for c in (comes, stays)))
            + "  fields: [sourceIPv4Address, sourceIPv6Address, destinationTransportPort, packetDeltaCount]\n"
        )
        self.reload(running)
        send_udp(30, 7002)
        probe.wait_for("both got it", lambda: stays.flows(7002) == 30 and comes.flows(7002) == 30)
        self.stop(running)
        self.assertEqual(goes.flows(7002), 0)
        self.assertEqual(comes.flows(7001), 0)
        for collector in (stays, goes, comes):
            collector.check_sequence(self)
        self.assertEqual(len(stays.sources), 1, "one socket all the time")
        before, after = (
            {r["_template"] for r in stays.records if r["destinationTransportPort"] == port} for port in (7001, 7002)
        )
        self.assertFalse(before & after, "new fields under new template ids")

    def test_reloads_under_traffic_lose_no_packet(self):
        self.write("capture:\n  interface: near0\n  workers: 2\n  bpf_filter: udp\n")
        running = self.start("--write-ipfix", self.path("flows.ipfix"))
        thread = threading.Thread(target=send_udp, args=(20000,))
        thread.start()
        for i in range(6):
            self.write(
                "capture:\n  interface: near0\n  workers: 2\n  bpf_filter: udp"
                + (" or tcp" if i % 2 else "")
                + f"\nexport:\n  inactive_timeout: {i + 1}s\n"
            )
            self.reload(running)
        thread.join()
        _, counters = self.stop(running)
        self.assertEqual(counters["packets_received"], 20000)
        self.assertEqual(counters["packets_in_records_sent"], 20000)


class Metrics(Service):
    def test_the_counters_are_read_over_http_while_the_program_runs(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.write("capture:\n  interface: near0\n  bpf_filter: udp dst port 7000\n")
        running = self.start("--set", f"metrics.listen=127.0.0.1:{port}")
        send_udp(200)

        def page():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return answer.read().decode().splitlines()

        for line in (
            "chompy_probe_packets_received_total 200",
            'chompy_probe_interface_packets_received_total{interface="near0"} 200',
        ):
            probe.wait_for(line, lambda wanted=line: wanted in page())
        if shutil.which("promtool"):
            text = "\n".join(page()) + "\n"
            check = subprocess.run(
                ["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False
            )
            self.assertEqual((check.returncode, check.stdout + check.stderr), (0, b""))
        self.stop(running)


class Restart(Service):
    BASE = "capture:\n  interface: near0\n  workers: 2\n  buffer_size_mb: 16\n  bpf_filter: udp dst port 7000\n"

    def run_under_traffic(self, packets, end, times):
        """Sends while the program is ended and started again; packets received by all of them together."""
        running, received = self.start(), 0
        thread = threading.Thread(target=send_udp, args=(packets,))
        thread.start()
        for _ in range(times):
            select.select([], [], [], 0.4)
            received += end(running)
            select.select([], [], [], 0.1)  # RestartSec
            running = self.start()
            self.assertIn("near0: going on with the rings of the process before", running.text())
        thread.join()
        _, counters = self.stop(running)
        self.assertEqual(counters["packets_dropped"], 0)
        return received + counters["packets_received"]

    def test_restarts_under_traffic_count_every_packet_once(self):
        self.write(self.BASE)
        total = self.run_under_traffic(20000, lambda running: self.stop(running)[1]["packets_received"], 3)
        self.assertEqual(total, 20000)
        self.assertEqual(len(self.manager.store), 2)
        self.assertEqual(self.manager.removed, [])

    def test_the_ring_of_a_killed_process_is_read_on(self):
        collector = Collector(self)
        self.write(
            self.BASE
            + "export:\n  inactive_timeout: 100ms\n  collector_ip: 127.0.0.1\n"
            + f"  collector_port: {collector.port}\n"
        )
        running = self.start()
        send_udp(3000)
        probe.wait_for("the first are exported", lambda: collector.flows(7000) == 3000)
        running.process.kill()
        running.process.wait()
        send_udp(2500)
        # Another process is another session from another port.
        collector.reader.sequence.clear()
        running = self.start()
        send_udp(1500)
        self.stop(running)
        self.assertEqual(collector.flows(7000), 7000)
        self.assertEqual(running.text().count("going on with the rings"), 1)

    def test_what_a_reload_changed_is_no_reason_for_new_rings(self):
        self.write(self.BASE)
        running = self.start()
        self.write(self.BASE.replace("7000", "7001"))
        self.reload(running)
        self.stop(running)
        send_udp(10, 7000)
        send_udp(20, 7001)
        running = self.start()
        _, counters = self.stop(running)
        self.assertEqual(counters["packets_received"], 20)

    def test_rings_that_do_not_fit_are_given_back_and_made_anew(self):
        for change, remark in (
            (("dst port 7000", "dst port 7001"), "bpf_filter or snap_len changed"),
            (("buffer_size_mb: 16", "buffer_size_mb: 8"), "of another size, number or kind"),
            (("workers: 2", "workers: 1"), "of another size, number or kind"),
            (("workers: 2", "workers: 2\n  fanout_group: 99"), "fanout_group changed"),
        ):
            with self.subTest(remark):
                self.write(self.BASE)
                self.stop(self.start())
                text = self.BASE.replace(*change)
                self.write(text)
                running = self.start()
                self.assertIn(remark, running.text())
                workers = 1 if "workers: 1" in text else 2
                self.assertEqual(len(self.manager.store), workers)
                self.assertEqual(probe.packet_sockets("near0"), workers, "nobody holds the old ones")
                send_udp(300, 7001 if "7001" in text else 7000)
                _, counters = self.stop(running)
                self.assertEqual(counters["packets_received"], 300)
                self.manager.forget(lambda name: True)

    def test_a_descriptor_of_somebody_else_is_given_back(self):
        self.write(self.BASE)
        strange = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.store.append(("strange", strange.detach()))
        running = self.start()
        self.assertEqual(self.manager.removed, ["strange"])
        send_udp(100)
        _, counters = self.stop(running)
        self.assertEqual(counters["packets_received"], 100)


class Collector:
    """Listens on a UDP port of loopback and reads what comes."""

    def __init__(self, case):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.reader = ipfix.Reader()
        self.sources = set()
        self.sequences = []  # (sequence number, data records) of each message
        case.addCleanup(self.socket.close)

    @property
    def records(self):
        return self.reader.records

    def listen(self):
        while True:
            try:
                data, source = self.socket.recvfrom(65536)
            except BlockingIOError:
                return
            self.sources.add(source)
            self.reader.message(data)

    def flows(self, port):
        self.listen()
        return sum(r["packetDeltaCount"] for r in self.records if r["destinationTransportPort"] == port)

    def check_sequence(self, case):
        """ipfix.Reader refuses a message whose sequence number is not the count of the records before it."""
        self.listen()
        case.assertTrue(self.records)


if __name__ == "__main__":
    probe.enter_namespace()
    for tool in ("ip", "nsenter", "unshare"):
        if not shutil.which(tool):
            probe.skip(f"{tool} is missing")
    probe.ip("link", "set", "lo", "up")
    probe.main()
