# SPDX-License-Identifier: Apache-2.0
"""The Debian package in a booted systemd: install, run, reload, lose the interface, freeze, upgrade, kill, purge.

    python3 -B test/package/package_test.py PACKAGE.deb [TREE]

Needs root, systemd-container and debootstrap.  TREE is a Debian 12 that is made there if it is missing (three minutes
and the network, once; default: bookworm-tree in the cache folder of the checks); it is never written to afterwards.
The container has a network of its own and two cables out of it: `tap0` is captured, `mgmt0` leads to the collector.

Every packet sent has a number, told by its source address and port, and is therefore a flow of its own: what the
collector receives says which packets were counted, and how often.
"""

import collections
import contextlib
import ctypes
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import ipfix  # noqa: E402  pylint: disable=wrong-import-position
import probe  # noqa: E402  pylint: disable=wrong-import-position

OUTSIDE, INSIDE, PORT = "10.77.0.1", "10.77.0.2", 2055
SERVICE = "chompy-probe@tap0.service"
RATE = 4000  # packets a second
SETTINGS = """
capture:
  interface: tap0
  workers: {workers}
  fanout_group: {group}
decode:
  tunnels: {tunnels}
export:
  collector_ip: {collector}
  collector_port: {port}
  active_timeout: {active}
  inactive_timeout: {inactive}
"""


def settings(**other):
    usual = {"workers": 2, "group": 77, "tunnels": "outer"}
    usual |= {"collector": OUTSIDE, "port": PORT, "active": "1s", "inactive": "500ms"}
    return SETTINGS.format(**(usual | other))


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def run(*command, ok=(0,)):
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    check(done.returncode in ok, f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def fnv1a(text):
    """32 bits, draft-eastlake-fnv."""
    value = 0x811C9DC5
    for octet in text.encode():
        value = (value ^ octet) * 0x01000193 % 2**32
    return value


def real_package(name):
    """Who provides it, if it is a virtual package: debootstrap finds none of those."""
    known, _, providers = run("apt-cache", "showpkg", name).partition("Reverse Provides:")
    if re.search(r"^Versions: *\n\S", known, re.MULTILINE) or not providers.split():
        return name
    return providers.split()[0]


def make_tree(tree, package):
    """A Debian 12 with what the package depends on, so that installing it needs no network."""
    depends = run("dpkg-deb", "-f", package, "Depends").split(",")
    wanted = {real_package(re.match(r"\s*([^ (|]+)", alternatives).group(1)) for alternatives in depends}
    wanted = ",".join(sorted(wanted | {"systemd", "systemd-sysv", "dbus", "iproute2", "procps"}))
    made_with = tree / "etc/made-with"
    if made_with.exists() and made_with.read_text() == wanted:
        return
    print(f"making {tree}", flush=True)
    shutil.rmtree(tree, ignore_errors=True)
    tree.parent.mkdir(parents=True, exist_ok=True)
    run("debootstrap", "--variant=minbase", f"--include={wanted}", "bookworm", str(tree))
    shutil.rmtree(tree / "var/cache/apt/archives")
    made_with.write_text(wanted)


class Container:
    """The tree, booted over an overlay in memory; gone without a trace when it is closed."""

    def __init__(self, tree, folder):
        self.console = open(os.path.join(folder, "console"), "w+b")
        command = "systemd-nspawn -q --volatile=overlay -b --register=no --keep-unit --private-network --console=pipe"
        self.nspawn = subprocess.Popen(
            # The kernel's own privileges would be those of a container otherwise; the unit is to drop them by itself.
            [*command.split(), "--capability=all", "--system-call-filter=bpf", "--machine=chompy-package", "-D", tree],
            stdin=subprocess.DEVNULL,
            stdout=self.console,
            stderr=self.console,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGTERM),  # PR_SET_PDEATHSIG: it ends with this script
        )
        self.leader = None
        try:
            probe.wait_for("the container's first process", self.find_leader)
            self.root = pathlib.Path(f"/proc/{self.leader}/root")
            probe.wait_for("systemd is up", self.is_up)
        except BaseException:
            self.close()
            raise

    def find_leader(self):
        """The child that has become systemd; others come and go before."""
        for child in pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    self.leader = child
        return self.leader

    def is_up(self):
        return self("systemctl", "is-system-running", ok=range(256)).strip() in ("running", "degraded")

    def __call__(self, *command, ok=(0,)):
        return run("nsenter", "--target", self.leader, "--all", "--", *command, ok=ok)

    def show(self, what, unit=SERVICE):
        return self("systemctl", "show", "--value", "-p", what, unit).strip()

    def journal(self, unit=SERVICE):
        self("journalctl", "--sync", ok=range(256))
        return self("journalctl", "-o", "cat", "--no-pager", "-u", unit)

    def write(self, path, text):
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def copy(self, file, path):
        shutil.copy(file, self.root / path.lstrip("/"))

    def pid_outside(self, pid):
        """The number that a process of the container has out here."""
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                lines = status.read_text().splitlines()
                ids = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
                if len(ids) == 2 and ids[1] == pid and lines[0].split()[1] == "chompy-probe":
                    return int(ids[0])
        raise AssertionError(f"no process {pid} in the container")

    def close(self):
        if self.leader is not None:
            with contextlib.suppress(OSError):
                os.kill(int(self.leader), signal.SIGRTMIN + 4)  # power off
        try:
            self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()
        self.console.close()


class Cable:
    """tap0 inside, gen0 outside: what is sent into gen0 is what tap0 sees."""

    def __init__(self, container):
        self.container = container
        self.number = 0  # of the next packet
        self.sender = None
        self.plug_in()

    def plug_in(self):
        quiet = "ip link set {0} addrgenmode none; ip link set {0} arp off multicast off up"
        probe.ip("link", "add", "gen0", "type", "veth", "peer", "name", "tap0", "netns", self.container.leader)
        run("sh", "-ec", quiet.format("gen0"))
        self.container("sh", "-ec", quiet.format("tap0"))
        self.sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.sender.bind(("gen0", 0))

    def pull_out(self):
        self.sender.close()
        self.container("ip", "link", "delete", "tap0")

    @staticmethod
    def frame(number):
        address = bytes((198, 18 + (number >> 24 & 1), number >> 16 & 255, number >> 8 & 255))  # RFC 2544 range
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, address, bytes((198, 19, 255, 1)))
        return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + struct.pack("!HHHH", 1024 + (number & 255), 9, 8, 0)

    def send(self, count):
        """The numbers of the packets sent."""
        first, began = self.number, time.monotonic()
        for i in range(count):
            if i % 20 == 0:
                select.select([], [], [], max(0, began + i / RATE - time.monotonic()))
            self.sender.send(self.frame(self.number))
            self.number += 1
        return range(first, self.number)

    def send_meanwhile(self, count):
        thread = Meanwhile(target=lambda: thread.numbers.extend(self.send(count)))
        thread.start()
        return thread


class Meanwhile(threading.Thread):
    def __init__(self, target):
        super().__init__(target=target)
        self.numbers = []


def number_of(record):
    """The number of a packet of ours; None for what others sent."""
    octets = [int(octet) for octet in record.get("sourceIPv4Address", "0.0.0.0").split(".")]
    if octets[0] != 198 or record["destinationIPv4Address"] != "198.19.255.1":
        return None
    return octets[1] - 18 << 24 | octets[2] << 16 | octets[3] << 8 | record["sourceTransportPort"] - 1024


class Collector:
    """Takes IPFIX by the letter: a gap in the sequence numbers is a fault."""

    def __init__(self, port=PORT):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
        self.socket.bind((OUTSIDE, port))
        self.counted = collections.Counter()  # by the packet's number
        self.by_session = {}  # the same for each source port and domain
        self.fault = None
        self.readers = {}
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        while self.fault is None:
            data, sender = self.socket.recvfrom(65536)
            reader = self.readers.setdefault(sender, ipfix.Reader())
            before = len(reader.records)
            try:
                reader.message(data)
            except ipfix.Fault as fault:
                self.fault = f"{sender}: {fault}"
            for record in reader.records[before:]:
                number = number_of(record)
                if number is not None:
                    session = self.by_session.setdefault((sender[1], record["_domain"]), collections.Counter())
                    session[number] += record["packetDeltaCount"]
                    self.counted[number] += record["packetDeltaCount"]

    def count(self, numbers):
        check(self.fault is None, self.fault)
        return sum(self.counted[number] for number in numbers)

    def wait_for(self, numbers):
        """Every packet was counted, and counted once."""
        try:
            probe.wait_for("the records", lambda: self.count(numbers) >= len(numbers), 20)
        except AssertionError as late:
            missing = [n - numbers[0] for n in numbers if not self.counted[n]]
            raise AssertionError(f"{len(missing)} of {len(numbers)} packets missing: {extent(missing)}") from late
        twice = [n for n in numbers if self.counted[n] != 1]
        check(not twice, f"{len(twice)} of {len(numbers)} packets counted more than once: {extent(twice)}")


def bracket(line):
    """What the line at the start says of the fanout group."""
    return line[line.index("(") + 1 : line.index(")")]


def extent(numbers):
    return f"{numbers[0]} to {numbers[-1]}" if numbers else "none"


class Frozen:
    """One thread of a process held still, as a debugger does it; the others go on."""

    SEIZE, INTERRUPT, ALL = 0x4206, 0x4207, 0x40000000

    def __init__(self, thread):
        read, write = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            libc = ctypes.CDLL(None, use_errno=True)
            libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
            try:
                held = libc.ptrace(self.SEIZE, thread, None, None) == 0
                held = held and libc.ptrace(self.INTERRUPT, thread, None, None) == 0
                held = held and os.waitpid(thread, self.ALL)[0] == thread
                os.write(write, b"y" if held else b"n")
                while held:
                    os.waitpid(thread, self.ALL)  # until the process is gone
            finally:
                os._exit(0)
        os.close(write)
        check(os.read(read, 1) == b"y", f"thread {thread} cannot be held")
        os.close(read)

    def release(self):
        with contextlib.suppress(OSError):
            os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)


def newer(package, folder):
    """The same package under a higher version."""
    tree = os.path.join(folder, "newer")
    run("dpkg-deb", "-R", package, tree)
    control = pathlib.Path(tree, "DEBIAN/control")
    lines = [line + "+newer" if line.startswith("Version:") else line for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    out = os.path.join(folder, "newer.deb")
    run("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, out)
    return out


class Steps:
    """In this order; each says in one line what it saw."""

    def __init__(self, box, cable, collector, package, folder):
        self.box, self.cable, self.collector, self.package, self.folder = box, cable, collector, package, folder

    def main_pid(self):
        return self.box.show("MainPID")

    def counts(self, numbers):
        return f"{len(numbers)} packets sent, {self.collector.count(numbers)} counted"

    def restart(self, **what):
        self.box.write("/etc/chompy-probe/tap0.yaml", settings(**what))
        self.box("systemctl", "restart", SERVICE)

    def reload(self, text):
        def done():
            journal = self.box.journal()
            return journal.count("settings read again from ") + journal.count("; the settings stay as they were")

        before = done()
        self.box.write("/etc/chompy-probe/tap0.yaml", text)
        self.box("systemctl", "reload", SERVICE)
        probe.wait_for("the reload", lambda: done() > before)

    def step_install_enables_and_starts_nothing(self):
        box = self.box
        box.copy(self.package, "/tmp/chompy-probe.deb")
        box("dpkg", "-i", "/tmp/chompy-probe.deb")
        check(box("dpkg", "--verify", "chompy-probe") == "", "files differ from the package's")
        for unit in ("chompy-probe.service", SERVICE):
            check(box("systemctl", "is-enabled", unit, ok=(0, 1)).strip() == "disabled", f"{unit} is enabled")
            check(box("systemctl", "is-active", unit, ok=(0, 3)).strip() == "inactive", f"{unit} runs")
        files = box("dpkg-query", "-W", "-f", "${Conffiles}", "chompy-probe")
        check("/etc/chompy-probe/config.yaml" in files, f"conffiles: {files}")
        return "user " + box("getent", "passwd", "_chompy-probe").strip()

    def step_without_settings_it_says_why_and_is_not_tried_again(self):
        box, unit = self.box, "chompy-probe.service"
        box("systemctl", "start", unit, ok=(1,))
        check(box.show("NRestarts", unit) == "0", "was tried again")
        status = box.show("ExecMainStatus", unit)
        check(status in ("2", "78"), f"status {status}")
        line = next(line for line in box.journal(unit).splitlines() if line.startswith("chompy-probe: no "))
        return f"status {status}: {line}"

    def step_an_instance_counts_every_packet(self):
        box = self.box
        box.write("/etc/chompy-probe/tap0.yaml", settings())
        box("systemctl", "enable", "--now", SERVICE)
        numbers = self.cable.send(10_000)
        self.collector.wait_for(numbers)
        domains = {domain for _, domain in self.collector.by_session}
        check(domains == {fnv1a("tap0")}, f"observation domains {domains}")
        return f"{self.counts(numbers)}, observation domain {fnv1a('tap0')}"

    def step_it_holds_one_capability_and_no_more(self):
        status = (self.box.root / "proc" / self.main_pid() / "status").read_text().splitlines()
        fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        net_raw = f"{1 << 13:016x}"
        for name in ("CapEff", "CapPrm", "CapBnd"):
            check(fields[name] == net_raw, f"{name} {fields[name]}")
        # Nothing that it might start would inherit it.
        check(int(fields["CapAmb"], 16) == 0, f"CapAmb {fields['CapAmb']}")
        check(fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2", "the sandbox is missing")
        user = self.box("id", "-u", "_chompy-probe").strip()
        check(fields["Uid"].split() == [user] * 4, f"runs as {fields['Uid']}")
        denied = [line for line in self.box.journal().splitlines() if "not permitted" in line]
        check(not denied, f"the sandbox is in the way: {denied}")
        return f"CAP_NET_RAW as user {user}, seccomp filter, no new privileges"

    def step_two_instances_share_one_interface(self):
        box, units = self.box, [f"chompy-probe@tap0-{leg}.service" for leg in "ab"]
        box("systemctl", "stop", SERVICE)
        for leg in "ab":
            box.write(f"/etc/chompy-probe/tap0-{leg}.yaml", settings(workers=1, group=78))
        box("systemctl", "start", *units)
        numbers = self.cable.send(10_000)
        self.collector.wait_for(numbers)
        shares = {}
        for (_, domain), counted in self.collector.by_session.items():
            shares[domain] = shares.get(domain, 0) + sum(counted[number] for number in numbers)
        parts = [shares.get(fnv1a(f"tap0-{leg}"), 0) for leg in "ab"]
        check(sum(parts) == len(numbers) and min(parts) > 0, f"shares {shares}")
        box("systemctl", "stop", *units)
        box("systemctl", "start", SERVICE)
        return f"{len(numbers)} packets sent, {parts[0]} + {parts[1]} counted"

    def statistics(self):
        """The last line of counters, by name; while the service runs, one of now."""
        if self.box.show("ActiveState") == "active":
            before = self.box.journal().count("statistics: ")
            self.box("systemctl", "kill", "-s", "USR1", SERVICE)
            probe.wait_for("the statistics", lambda: self.box.journal().count("statistics: ") > before)
        line = self.box.journal().rsplit("statistics: ", 1)[1].splitlines()[0]
        return dict(figure.split("=") for figure in line.split())

    def start_line(self):
        return [line for line in self.box.journal().splitlines() if ": capturing on " in line][-1]

    def drop_in(self, name=None, edit=("", "")):
        """The example of this name alone, or none."""
        folder = self.box.root / "etc/systemd/system/chompy-probe@.service.d"
        shutil.rmtree(folder, ignore_errors=True)
        if name is not None:
            text = (self.box.root / "usr/share/doc/chompy-probe/examples" / name).read_text()
            self.box.write(f"/etc/systemd/system/chompy-probe@.service.d/{name}", text.replace(*edit))
        self.box("systemctl", "daemon-reload")

    def step_the_drop_in_for_steering_lets_a_program_be_loaded(self):
        self.restart(tunnels="inner")
        without = self.start_line()
        check("steered by a classic program" in without, without)
        self.drop_in("ebpf-steering.conf")
        self.restart(tunnels="inner", group=79)
        loaded = self.start_line()
        check("steered by a loaded program" in loaded, loaded)
        numbers = self.cable.send(1000)
        self.collector.wait_for(numbers)
        self.drop_in()
        self.restart()
        return f"without: {bracket(without)}; with: {bracket(loaded)}; {self.counts(numbers)}"

    def step_the_drop_in_for_one_collector_closes_all_other_ways(self):
        self.drop_in("one-collector.conf")
        self.restart()
        elsewhere = self.cable.send(500)
        self.box("systemctl", "stop", SERVICE)
        captured = self.statistics()
        check(captured["packets_received"] == "500", captured)
        check(self.collector.count(elsewhere) == 0, "records came through")
        self.drop_in("one-collector.conf", ("192.0.2.7", OUTSIDE))
        self.restart()
        numbers = self.cable.send(500)
        self.collector.wait_for(numbers)
        self.drop_in()
        self.restart()
        return f"another's address: 500 packets captured, no record came out; its own: {self.counts(numbers)}"

    def step_a_reload_keeps_the_flows_and_takes_the_new_collector(self):
        pid, second = self.main_pid(), Collector(PORT + 1)
        # Idle flows stay in the table for long enough to see the reload.
        self.reload(settings(active="5s", inactive="5s"))
        waiting = self.cable.send(1000)
        self.reload(settings(active="5s", inactive="5s", port=PORT + 1))
        numbers = self.cable.send(1000)
        second.wait_for([*waiting, *numbers])
        check(self.main_pid() == pid, "was restarted")
        check(self.collector.count([*waiting, *numbers]) == 0, "the old collector got some")
        self.reload(settings())
        self.collector.wait_for(self.cable.send(100))
        return f"{len(waiting)} packets metered before and {len(numbers)} after it: all at the new collector"

    def step_a_bad_file_leaves_the_old_settings_in_force(self):
        pid = self.main_pid()
        self.reload(settings() + "  colector_port: 1\n")
        line = next((line for line in self.box.journal().splitlines() if "colector_port" in line), None)
        check(line is not None and "tap0.yaml:13:3: export.colector_port: " in line, f"journal: {line}")
        check(self.main_pid() == pid and self.box.show("ActiveState") == "active", "did not go on")
        self.collector.wait_for(self.cable.send(1000))
        self.reload(settings())
        return line

    def step_an_interface_that_went_and_came_back_is_captured_again(self):
        pid = self.main_pid()
        self.cable.pull_out()
        probe.wait_for("the loss is counted", lambda: self.statistics().get("link_losses", "0") != "0")
        self.cable.plug_in()
        # Until the probe has found it, packets pass by: these are not counted.
        probe.wait_for("packets are captured", self.found, 20)
        numbers = self.cable.send(5000)
        self.collector.wait_for(numbers)
        check(self.main_pid() == pid and self.box.show("NRestarts") == "0", "was restarted")
        return f"on the new tap0 {self.counts(numbers)} by the same process"

    def found(self):
        """Whether a packet of just now has been captured: its record comes within a second or two."""
        probing = self.cable.send(1)
        with contextlib.suppress(AssertionError):
            probe.wait_for("a record", lambda: self.collector.count(probing), 2)
        return self.collector.count(probing)

    def step_a_frozen_worker_is_replaced_and_its_ring_read_to_the_end(self):
        box = self.box
        check(box.show("WatchdogUSec") == "30s", "the unit's watchdog")
        box.write("/etc/systemd/system/chompy-probe@.service.d/quick.conf", "[Service]\nWatchdogSec=2\n")
        box("systemctl", "daemon-reload")
        self.restart(workers=1)
        self.collector.wait_for(self.cable.send(100))
        pid = self.main_pid()
        process = box.pid_outside(pid)
        threads = {
            task.name: (task / "comm").read_text().strip() for task in pathlib.Path(f"/proc/{process}/task").iterdir()
        }
        workers = [thread for thread, name in threads.items() if name.startswith("capture-")]
        check(len(workers) == 1, f"threads: {threads}")
        frozen, began = Frozen(int(workers[0])), time.monotonic()
        numbers = self.cable.send(5000)
        try:
            probe.wait_for("systemd replaces it", lambda: self.main_pid() not in (pid, "0"), 20)
        finally:
            frozen.release()
        took = time.monotonic() - began
        self.collector.wait_for(numbers)
        check(box.show("NRestarts") == "1", f"restarts {box.show('NRestarts')}")
        check("Watchdog timeout" in box.journal(), "not by the watchdog")
        (box.root / "etc/systemd/system/chompy-probe@.service.d/quick.conf").unlink()
        box("systemctl", "daemon-reload")
        return f"replaced {took:.1f} s after the freeze; {self.counts(numbers)}"

    def step_an_upgrade_under_traffic_loses_nothing(self):
        box = self.box
        self.restart()
        box.copy(newer(self.package, self.folder), "/tmp/newer.deb")
        pid, traffic = self.main_pid(), self.cable.send_meanwhile(40_000)
        probe.wait_for("traffic", lambda: self.collector.count(range(self.cable.number - 100, self.cable.number)), 20)
        box("dpkg", "-i", "/tmp/newer.deb")
        check(traffic.is_alive(), "the traffic ended before the upgrade")
        traffic.join()
        numbers = traffic.numbers
        self.collector.wait_for(numbers)
        check(self.main_pid() not in (pid, "0"), "was not restarted")
        check(box.show("ActiveState", "chompy-probe@tap0-a.service") == "inactive", "a stopped instance was started")
        check(box.show("ActiveState", "chompy-probe.service") != "active", "the unit that was not started runs")
        parts = [sum(1 for n in numbers if counted[n]) for counted in self.collector.by_session.values()]
        return f"{len(numbers)} packets sent, {' + '.join(str(part) for part in parts if part)} counted"

    def step_after_a_kill_the_ring_is_read_on_where_it_was(self):
        self.restart(workers=1)
        pid, traffic = self.main_pid(), self.cable.send_meanwhile(40_000)
        before = set(self.collector.by_session)
        probe.wait_for("traffic", lambda: self.cable.number - 12_000 > self.first_of(before), 30)
        os.kill(self.box.pid_outside(pid), signal.SIGKILL)
        traffic.join()
        numbers = traffic.numbers
        tail = numbers[-1000:]
        probe.wait_for("the last records", lambda: self.collector.count(tail) >= len(tail), 20)
        check(self.main_pid() not in (pid, "0") and self.box.show("NRestarts") == "1", "was not restarted once")
        sessions = [counted for key, counted in self.collector.by_session.items() if key not in before]
        check(len(sessions) == 2, f"{len(sessions)} incarnations exported")
        first, second = ([number for number in numbers if counted[number]] for counted in sessions)
        check(all(counted[number] <= 1 for counted in sessions for number in numbers), "one incarnation counted twice")
        # The second read everything from its first packet on: no packet was lost in the ring or between the two.
        check(second == list(range(second[0], numbers[-1] + 1)), "the ring was not read on without a gap")
        # What is in no record was in the dead one's table: flows of the last second or so.
        unsent = [number for number in range(numbers[0], second[0]) if not self.collector.counted[number]]
        recent = 2 * RATE
        check(not unsent or unsent[0] >= second[0] - recent, f"{len(unsent)} missing: {extent(unsent)}, {second[0]}")
        self.box("systemctl", "stop", SERVICE)
        end = self.statistics()
        check((end["packets_received"], end["packets_dropped"]) == (str(len(second)), "0"), end)
        check("because a ring was full" not in self.box.journal(), "the dead one lost packets")
        twice = [number for number in numbers if self.collector.counted[number] == 2]
        return (
            f"{len(numbers)} packets sent, {len(first)} + {len(second)} counted, {len(twice)} of them by both; "
            f"{len(unsent)} had been metered by the dead process and not been exported: they are in no record"
        )

    def first_of(self, before):
        """The first packet of which the session that began last told us."""
        numbers = [min(counted) for key, counted in list(self.collector.by_session.items()) if key not in before]
        return min(numbers, default=self.cable.number)

    def step_a_removal_stops_it_and_keeps_the_settings(self):
        box = self.box
        box("dpkg", "-r", "chompy-probe")
        check(box("pgrep", "-c", "chompy-probe", ok=(0, 1)).strip() == "0", "still runs")
        check((box.root / "etc/chompy-probe/config.yaml").exists(), "the settings are gone")
        return "no process left, /etc/chompy-probe kept"

    def step_a_purge_leaves_the_user_alone(self):
        box = self.box
        for file in (box.root / "etc/chompy-probe").glob("tap0*.yaml"):
            file.unlink()  # the operator's own
        shutil.rmtree(box.root / "etc/systemd/system/chompy-probe@.service.d", ignore_errors=True)
        box("dpkg", "-P", "chompy-probe")
        found = box("find", "/", "-xdev", "-name", "*chompy*", "-not", "-path", "/tmp/*", "-not", "-path", "/proc/*")
        check(found == "", f"left: {found}")
        check(box("getent", "passwd", "_chompy-probe"), "the user is gone")
        return "nothing found but the user"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: {sys.argv[0]} PACKAGE.deb [TREE]")
    if os.geteuid() != 0:
        sys.exit("booting a container needs root")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "chompy-probe-ci"
    tree = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else cache / "bookworm-tree"
    package = os.path.abspath(sys.argv[1])
    if not os.environ.get("CHOMPY_IN_NAMESPACE"):
        make_tree(tree, package)
    probe.enter_namespace()
    with contextlib.ExitStack() as closing:
        folder = tempfile.mkdtemp(prefix="chompy-package-")
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        box = Container(tree, folder)
        closing.callback(box.close)
        probe.ip("link", "set", "lo", "up")
        probe.ip("link", "add", "out0", "type", "veth", "peer", "name", "mgmt0", "netns", box.leader)
        run("sh", "-ec", f"ip address add {OUTSIDE}/24 dev out0; ip link set out0 up")
        box("sh", "-ec", f"ip address add {INSIDE}/24 dev mgmt0; ip link set mgmt0 up")
        steps = Steps(box, Cable(box), Collector(), package, folder)
        for name in [name for name in vars(Steps) if name.startswith("step_")]:
            began = time.monotonic()
            words = name[5:].replace("_", " ")
            try:
                said = getattr(steps, name)()
            except BaseException:
                print(f"FAILED {words}\n--- journal of {SERVICE}", flush=True)
                print(box.journal()[-8000:], flush=True)
                raise
            print(f"ok {words} ({time.monotonic() - began:.1f} s)\n   {said}", flush=True)


if __name__ == "__main__":
    main()
