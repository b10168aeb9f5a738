# SPDX-License-Identifier: Apache-2.0
"""What the program may do once it runs, and that it does what it should with no more: started by hand, by root too."""

import os
import pwd
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import probe
import traffic

FAILURE, CONFIGURATION = 1, 78
NET_RAW = "0000000000002000"  # bit 13; capabilities of linux/capability.h
NONE = "0000000000000000"


def status_of_threads(pid):
    """Name of each thread -> what proc(5) says of it."""
    threads = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
            status = {name: value.strip() for name, _, value in (line.partition(":") for line in file)}
        threads[status["Name"]] = status
    return threads


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_sanitized():
    with open(probe.BINARY, "rb") as file:
        return b"__asan_init" in (data := file.read()) or b"__tsan_init" in data


class Streams(probe.Case):
    """Started by something that closed descriptors 0, 1 or 2."""

    def capture(self):
        return self.path("good.pcap", traffic.pcap(traffic.standard().frames))

    def run_closed(self, closed, *arguments):
        """The exit status, and what it said on the error output if that was open."""
        with open(self.path("said"), "w+b") as said:

            def close():
                os.dup2(said.fileno(), 2)
                for fd in closed:
                    os.close(fd)

            done = subprocess.run(
                [probe.BINARY, *arguments],
                preexec_fn=close,
                timeout=probe.LIMIT,
                cwd=self.folder,
                env=probe.clean_environment(),
                check=False,
            )
            said.seek(0)
            return done.returncode, said.read().decode()

    def test_with_any_of_its_streams_closed_it_meters_a_file(self):
        capture = self.capture()
        for closed in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
            with self.subTest(closed):
                status, _ = self.run_closed(
                    closed, "--read", capture, "--write-ipfix", "out.ipfix", "--counters", "counters.json"
                )
                self.assertEqual(status, 0)
                self.assertGreater(os.path.getsize(self.path("out.ipfix")), 0)
                with open(self.path("out.ipfix"), "rb") as file:
                    self.assertEqual(file.read(2), b"\x00\x0a")  # the version of IPFIX, and no word of the log

    def test_flows_for_a_closed_output_are_refused(self):
        capture = self.capture()
        for output in (("--output", "table"), ("--output", "json"), ("--write-ipfix", "-"), ()):
            with self.subTest(output):
                status, said = self.run_closed((1,), "--read", capture, *output)
                self.assertEqual(status, FAILURE)
                self.assertIn("standard output is closed", said)
                self.assertEqual(len(said.splitlines()), 1, said)

    def test_a_capture_from_a_closed_input_is_refused(self):
        status, said = self.run_closed((0,), "--read", "-", "--output", "json")
        self.assertEqual(status, FAILURE)
        self.assertIn("standard input is closed", said)

    def test_help_for_nobody_is_refused(self):
        status, said = self.run_closed((1,), "--help")
        self.assertEqual(status, FAILURE)
        self.assertIn("standard output is closed", said)


class Privileges(probe.Case):
    """Root over a network namespace, or over a user namespace of its own."""

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        neighbour = probe.Neighbour()
        self.addCleanup(neighbour.close)
        # Nobody answers: what is sent is what there is.
        probe.ip("neigh", "replace", "10.9.0.2", "lladdr", "02:00:00:00:00:99", "dev", "near0", "nud", "permanent")

    def start(self, *arguments, interface="near0", **how):
        running = probe.Running(
            self,
            "-interface",
            interface,
            "--counters",
            self.path("counters.json"),
            *arguments,
            "--set",
            "capture.buffer_size_mb=8",
            "--set",
            "flow.max_flows=4096",
            **how,
        )

        def ready():
            self.assertIsNone(running.process.poll(), running.text())
            return "capturing on" in running.text()

        probe.wait_for("the program is capturing", ready)
        return running

    def send(self, count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(count):
                s.sendto(b"x" * 20, ("10.9.0.2", 7000))

    def stop(self, running):
        result = running.stop()
        self.assertEqual(result.status, 0, result.err)
        self.assert_identity(result.counters())
        return result

    def assert_bounded(self, threads, capabilities):
        for name, status in threads.items():
            with self.subTest(name):
                self.assertEqual(status["CapEff"], capabilities)
                self.assertEqual(status["CapPrm"], capabilities)
                for empty in ("CapInh", "CapBnd", "CapAmb"):
                    self.assertEqual(status[empty], NONE, empty)
                self.assertEqual(status["NoNewPrivs"], "1")
                if not is_sanitized():
                    self.assertEqual(status["Seccomp"], "2")

    def test_every_thread_captures_with_one_capability_and_a_filter_of_its_calls(self):
        port = free_port()
        running = self.start(
            "--set",
            "capture.workers=3",
            "--set",
            f"metrics.listen=127.0.0.1:{port}",
            "--set",
            "export.collectors=udp://localhost:9",
            "--output",
            "none",
        )
        threads = status_of_threads(running.process.pid)
        for name in ("capture-0", "capture-2", "export", "metrics"):
            self.assertIn(name, threads)
        self.assert_bounded(threads, NET_RAW)
        self.stop(running)

    def test_a_capture_file_is_read_without_any_capability(self):
        # A FIFO: the program waits for the first octet, having opened it.
        fifo = self.path("capture")
        os.mkfifo(fifo)
        running = probe.Running(self, "--read", fifo, "--set", "capture.workers=2", "--output", "json")
        with open(fifo, "wb") as writer:
            probe.wait_for(
                "no capability is left",
                lambda: all(s["CapPrm"] == NONE for s in status_of_threads(running.process.pid).values()),
            )
            probe.wait_for(
                "system calls are filtered",
                lambda: is_sanitized()
                or all(s["Seccomp"] == "2" for s in status_of_threads(running.process.pid).values()),
            )
            self.assert_bounded(status_of_threads(running.process.pid), NONE)
            writer.write(traffic.pcap(traffic.standard().frames))
            writer.flush()
            probe.wait_for("threads are there", lambda: len(status_of_threads(running.process.pid)) > 3)
            self.assert_bounded(status_of_threads(running.process.pid), NONE)
        result = running.finish()
        self.assertEqual(result.status, 0, result.err)
        self.assertGreater(len(result.out.splitlines()), 1)

    def test_switched_off_nothing_is_given_up(self):
        running = self.start("--output", "none", "--set", "process.sandbox=false")
        for status in status_of_threads(running.process.pid).values():
            self.assertEqual(status["CapEff"], status_of_threads(os.getpid()).popitem()[1]["CapEff"])
            self.assertEqual(status["NoNewPrivs"], "0")
        self.stop(running)

    def test_reload_look_ups_files_counters_and_metrics_work_with_what_is_left(self):
        port, collector = free_port(), socket.create_server(("127.0.0.1", 0))
        self.addCleanup(collector.close)
        settings = self.path("probe.yaml", "capture:\n  bpf_filter: udp dst port 7000\n")
        running = self.start(
            "-config", settings, "--write-ipfix", "out.ipfix", "--set", f"metrics.listen=127.0.0.1:{port}"
        )
        self.send(50)
        tcp = f"tcp://localhost:{collector.getsockname()[1]}"
        self.path(
            "probe.yaml",
            "capture:\n  bpf_filter: udp dst port 7000 or host localhost\nexport:\n  inactive_timeout: 200ms\n"
            f"  collectors: ['{tcp}', 'file://{self.folder}/second.ipfix']\n",
        )
        running.process.send_signal(signal.SIGHUP)
        probe.wait_for("the settings are in force", lambda: "now in force" in running.text())
        self.send(50)
        connection, _ = collector.accept()
        self.addCleanup(connection.close)
        connection.settimeout(10)
        self.assertEqual(connection.recv(2), b"\x00\x0a")  # the version of IPFIX

        def page():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return answer.read().decode()

        probe.wait_for("the page counts", lambda: "chompy_probe_packets_received_total 100\n" in page())
        result = self.stop(running)
        for line in result.errors():
            self.assertNotIn("not permitted", line)
            self.assertNotIn(" error ", line)
        self.assertEqual(result.counters()["packets_received"], 100)
        for name in ("out.ipfix", "second.ipfix"):
            self.assertGreater(os.path.getsize(self.path(name)), 16)

    def test_an_interface_that_comes_back_is_captured_on_again(self):
        for steering in ((), ("--set", "decode.tunnels=inner")):
            with self.subTest(steering):
                probe.ip("link", "add", "flap0", "type", "veth", "peer", "name", "flap1")
                for name in ("flap0", "flap1"):
                    probe.ip("link", "set", name, "addrgenmode", "none", "up")
                running = self.start("--output", "none", "--set", "capture.workers=2", *steering, interface="flap0")
                probe.ip("link", "del", "flap0")
                probe.ip("link", "add", "flap0", "type", "veth", "peer", "name", "flap1")
                self.addCleanup(subprocess.run, ["ip", "link", "del", "flap0"], check=False, capture_output=True)
                for name in ("flap0", "flap1"):
                    probe.ip("link", "set", name, "addrgenmode", "none", "up")
                probe.wait_for("its rings are there again", lambda: probe.packet_sockets("flap0") == 2)
                self.stop(running)
                probe.ip("link", "del", "flap0")

    def test_fifty_half_requests_keep_nobody_from_the_metrics(self):
        port = free_port()
        running = self.start("--output", "none", "--set", f"metrics.listen=127.0.0.1:{port}")
        slow = []
        for _ in range(50):
            slow.append(socket.create_connection(("127.0.0.1", port)))
            self.addCleanup(slow[-1].close)
            slow[-1].sendall(b"GET /met")
        begun = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            self.assertEqual(answer.status, 200)
        self.assertLess(time.monotonic() - begun, 1)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Host": "evil.example"})
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        self.assertEqual(refused.exception.code, 421)
        refused.exception.close()
        self.stop(running)

    def needs_other_users(self):
        if os.environ.get("CHOMPY_IN_NAMESPACE") != "net":
            self.skipTest("nobody else exists in this user namespace")

    def test_root_becomes_the_user_that_is_named_and_keeps_what_it_opened(self):
        self.needs_other_users()
        nobody = str(pwd.getpwnam("nobody").pw_uid)
        os.chmod(self.folder, 0o711)  # nobody but root may make a file here
        running = self.start(
            "--set", "process.user=nobody", "--write-ipfix", "out.ipfix", "--filter", "udp dst port 7000"
        )
        threads = status_of_threads(running.process.pid)
        self.assert_bounded(threads, NET_RAW)
        for status in threads.values():
            self.assertEqual(status["Uid"].split(), [nobody] * 4)
            self.assertEqual(status["Groups"].strip(), "")
        self.send(20)
        result = self.stop(running)
        self.assertIn("running as nobody with CAP_NET_RAW", result.err)
        self.assertEqual(result.counters()["packets_received"], 20)
        self.assertGreater(os.path.getsize(self.path("out.ipfix")), 16)

    def test_a_user_that_is_not_there_is_refused(self):
        self.needs_other_users()
        result = self.run_probe("-interface", "near0", "--set", "process.user=no-such-user", "--output", "none")
        self.assertEqual(result.status, CONFIGURATION)
        self.assertEqual(len(result.errors()), 1, result.err)
        self.assertIn("process.user: there is no user no-such-user", result.err)

    def test_settings_that_a_reload_could_not_read_are_refused(self):
        self.needs_other_users()
        settings = self.path("secret.yaml", "process:\n  user: nobody\n")
        os.chmod(settings, 0o600)
        result = self.run_probe("-interface", "near0", "-config", settings, "--output", "none")
        self.assertEqual(result.status, CONFIGURATION)
        refusal = result.errors()[-1]
        for word in ("secret.yaml", "reload", "chown", "nobody", "process.user"):
            self.assertIn(word, refusal)
        # A file is read once, and so are its settings.
        capture = self.path("good.pcap", traffic.pcap(traffic.standard().frames))
        self.assertEqual(self.run_probe("--read", capture, "-config", settings).status, 0)


class Outputs(probe.Case):
    """Opened before the rights are given up, and so before the first octet of a capture is read."""

    def test_a_file_that_is_no_capture_leaves_the_outputs_as_they_were(self):
        text = self.path("text.pcap", b"this is no capture at all, but a text of some length\n")
        self.path("old.ipfix", b"of yesterday")
        for output in ("old.ipfix", "new.ipfix"):
            result = self.run_probe("--read", text, "--write-ipfix", output, "--counters", "counters.json")
            self.assertEqual(result.status, FAILURE)
            self.assertEqual(len(result.errors()), 1, result.err)
        with open(self.path("old.ipfix"), "rb") as file:
            self.assertEqual(file.read(), b"of yesterday")
        self.assertEqual(sorted(os.listdir(self.folder)), ["old.ipfix", "text.pcap"])


class Memory(probe.Case):
    """What the settings ask for against what there is."""

    HUGE = ("--set", "flow.max_flows=134217728", "--set", "export.queue_records=16777216")

    def refused(self, *arguments):
        begun = time.monotonic()
        result = self.run_probe(*arguments)
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(result.status, FAILURE, result.err)
        self.assertEqual(len(result.errors()), 1, result.err)
        return result.err

    def test_tables_that_no_machine_holds_are_refused_before_they_are_touched(self):
        capture = self.path("good.pcap", traffic.pcap(traffic.standard().frames))
        for source in (("-interface", "lo"), ("--read", capture)):
            with self.subTest(source):
                said = self.refused(*source, *self.HUGE, "--set", "capture.workers=64", "--output", "none")
                for word in ("not enough memory", "needed", "lower", "GiB"):
                    self.assertIn(word, said)

    def test_what_is_advised_is_enough(self):
        with open("/proc/meminfo", encoding="ascii") as file:
            total = int(next(line for line in file if line.startswith("MemTotal")).split()[1]) * 1024
        # 500 octets a conversation at least, so this is more than there is, if the setting goes that far.
        flows = min(total // 300, 134217728)
        capture = self.path("good.pcap", traffic.pcap(traffic.standard().frames))
        if flows * 400 < total:
            self.skipTest("a machine that holds any table")
        said = self.refused("--read", capture, "--set", f"flow.max_flows={flows}", "--output", "json")
        advised = said.split("lower flow.max_flows from")[1].split(" to ")[1].strip()
        result = self.run_probe("--read", capture, "--set", f"flow.max_flows={advised}", "--output", "json")
        self.assertEqual(result.status, 0, result.err)

    def test_addresses_that_cannot_be_had_are_one_line(self):
        capture = self.path("good.pcap", traffic.pcap(traffic.standard().frames))
        limit = ("prlimit", f"--as={2 << 30}") if not is_sanitized() else ()
        if not limit:
            self.skipTest("sanitizers take all addresses")
        result = self.run_probe("--read", capture, "--set", "flow.max_flows=8000000", prefix=limit)
        self.assertEqual(result.status, FAILURE, result.err)
        self.assertEqual(len(result.errors()), 1, result.err)
        self.assertIn("flow.max_flows", result.err)


if __name__ == "__main__":
    probe.enter_namespace()
    probe.main()
