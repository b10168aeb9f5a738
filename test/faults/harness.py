# SPDX-License-Identifier: Apache-2.0
"""What the tests of faults share: the table of tests, running the program within limits, looking at it from outside.

Each test runs in a process, process namespace, mount namespace and network of its own, so whatever it leaves behind
ends with it.  A test raises Miss with the first thing that is not as promised.
"""

import itertools
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

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "test", "system"))
import ipfix  # noqa: E402,F401
import probe  # noqa: E402
import traffic  # noqa: E402

TESTS = {}  # name -> Test, in the order of their definition
FAILURE, USAGE, NO_PERMISSION, CONFIGURATION = 1, 2, 77, 78
FOREVER = probe.PATIENT


class Miss(Exception):
    """Something is not as promised."""


class Skip(Exception):
    """It cannot be tried here."""


def require(condition, text):
    if not condition:
        raise Miss(text)


class Test:
    def __init__(self, name, promise, function, limit, alone):
        self.name, self.promise, self.function, self.limit, self.alone = name, promise, function, limit, alone


def test(promise, limit=60, alone=False):
    """`alone`: it measures time, so nothing else shall run beside it."""

    def add(function):
        name = function.__name__
        TESTS[name] = Test(name, promise, function, limit, alone)
        return function

    return add


# ---- looking at processes


def status_of(pid):
    """The fields of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def rss_mib(pid, field="VmRSS"):
    try:
        return int(status_of(pid)[field].split()[0]) / 1024
    except (OSError, KeyError):
        return 0.0


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def until(what, condition, seconds=10.0):
    """Polls until `condition()` is true, and gives its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        require(time.monotonic() < end, f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


# ---- the program


class Done:
    def __init__(self, status, out, err, seconds, cpu, peak_mib):
        self.status, self.out, self.err = status, out, err
        self.seconds, self.cpu, self.peak_mib = seconds, cpu, peak_mib

    def lines(self):
        return [line for line in self.err.splitlines() if line.strip()]

    def said(self):
        """The last lines of the log, but the counters."""
        return " | ".join(line[-160:] for line in self.lines() if " statistics: " not in line)[-400:]


def ended(pid, end):
    """Status of the process and its costs, or None when it has not ended by then."""
    while True:
        waited, status, usage = os.wait4(pid, os.WNOHANG)
        if waited:
            return os.waitstatus_to_exitcode(status), usage
        if time.monotonic() > end:
            return None
        time.sleep(0.005)


class Running:
    """The program in the background.  `stdout`, `stdin`: as of subprocess; by default files of the test's folder."""

    def __init__(
        self,
        t,
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=None,
        prefix=(),
        env=None,
        cwd=None,
        preexec=None,
        pass_fds=(),
    ):
        self.t, self.base = t, t.path(f"run{next(t.numbers)}")
        self.out_file = None if stdout is not None else open(self.base + ".out", "wb")
        self.err_file = open(self.base + ".err", "wb")
        self.process = subprocess.Popen(
            [*prefix, t.program, *arguments],
            stdin=stdin,
            stdout=self.out_file or stdout,
            stderr=self.err_file,
            cwd=cwd or t.folder,
            env={**probe.clean_environment(), **(env or {})},
            preexec_fn=preexec,
            pass_fds=pass_fds,
        )
        self.began = time.monotonic()
        self.done = None
        t.running.append(self)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.base + ".err", encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_lines(self):
        return [line for line in self.log().splitlines() if " statistics: " not in line]

    def alive(self):
        return self.done is None and self.poll(0) is None

    def poll(self, seconds):
        if self.done is None:
            found = ended(self.pid, time.monotonic() + seconds)
            if found is None:
                return None
            self.process.returncode = found[0]
            out = b""
            if self.out_file:
                self.out_file.close()
                with open(self.base + ".out", "rb") as file:
                    out = file.read()
            self.done = Done(
                found[0],
                out,
                self.log(),
                time.monotonic() - self.began,
                found[1].ru_utime + found[1].ru_stime,
                found[1].ru_maxrss / 1024,
            )
        return self.done

    def send(self, number):
        require(self.alive(), f"ended by itself: {self.done and (self.done.status, self.done.said())}")
        os.kill(self.pid, number)

    def within(self, seconds, what):
        """Waits for the end; not within so many seconds is a miss."""
        done = self.poll(seconds)
        if done is None:
            said = " | ".join(line[-120:] for line in self.log_lines()[-2:])
            self.kill()
            raise Miss(f"{what}: still there after {time.monotonic() - self.began:.0f} s; {said}")
        return done

    def stop(self, seconds=10, number=signal.SIGTERM):
        self.send(number)
        return self.within(seconds, f"after {signal.Signals(number).name}")

    def kill(self):
        if self.poll(0) is None:
            os.kill(self.pid, signal.SIGKILL)
            self.poll(10)

    def ready(self, text="capturing on", seconds=20):
        until(f"the line {text!r}", lambda: text in self.log() or not self.alive(), seconds)
        require(self.alive(), f"ended with {self.done and self.done.status}: {self.done and self.done.said()}")
        return self

    def answers(self, seconds=5):
        """Main answers a signal: SIGUSR1 logs the counters."""
        before = self.log().count(" statistics: ")
        self.send(signal.SIGUSR1)
        end = time.monotonic() + seconds
        while self.log().count(" statistics: ") == before:
            require(self.alive(), f"ended by itself: {self.done and (self.done.status, self.done.said())}")
            require(
                time.monotonic() < end,
                f"no answer to a signal within {seconds:g} s; "
                f"RSS {rss_mib(self.pid):.0f} MiB; {' | '.join(self.log_lines()[-1:])[-160:]}",
            )
            time.sleep(0.01)

    def reload(self):
        self.send(signal.SIGHUP)


def limited(memory_mib=None, file_octets=None):
    def apply():
        if memory_mib:
            resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20,) * 2)
        if file_octets is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_octets,) * 2)

    return apply


def identity(counters):
    """The difference of the accounting identity; 0 is right."""
    return (
        counters["packets_received"]
        - counters["packets_filtered"]
        - sum(counters["packets_discarded"].values())
        - counters["packets_in_records_sent"]
        - counters["packets_in_records_not_sent"]
        - counters["packets_in_table"]
        - counters.get("packets_pending", 0)
    )


class Context:
    """What a test gets: the program, a folder, and helpers."""

    def __init__(self, program, tools, folder, full):
        self.program, self.tools, self.folder, self.full = program, tools, folder, full
        self.numbers, self.running, self.notes = itertools.count(1), [], []

    def note(self, text):
        """A line for the table under the verdict."""
        self.notes.append(text)

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data if isinstance(data, bytes) else data.encode())
        return path

    def tool(self, name, *arguments, limit=120):
        place = os.path.join(self.tools, "bench" if name == "blast" else "faults")
        path = os.path.join(place, ("bench_" if name == "blast" else "faults_") + name)
        require(os.access(path, os.X_OK), f"{path} is not there: cmake --build --preset release --target faults")
        return subprocess.run(
            [path, *map(str, arguments)], check=True, capture_output=True, text=True, timeout=limit
        ).stdout

    def start(self, *arguments, **more):
        return Running(self, *arguments, **more)

    def run(self, *arguments, limit=20, what="the run", **more):
        return Running(self, *arguments, **more).within(limit, what)

    def capture(self, flows=None, name="in.pcap"):
        """A capture: the standard one, or so many UDP flows of a packet each.  Returns path and packets."""
        if flows is None:
            made = traffic.standard()
            frames = made.frames
        else:
            # One frame, and a counter in it: quicker than to build each.
            made = traffic.Capture()
            made.udp(traffic.START, traffic.Host(1), traffic.Host(9), 4, 1, 2000, 10)
            frame = made.frames[0][1]
            frames = [
                (traffic.START + i * 1000, frame[:26] + struct.pack("!I", 0x0A000000 + i) + frame[30:])
                for i in range(flows)
            ]
        return self.path(name, traffic.pcap(frames)), len(frames)

    def counters(self, name="counters.json"):
        try:
            with open(self.path(name), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            raise Miss("no counters were written") from None

    def exact(self, name="counters.json"):
        counters = self.counters(name)
        difference = identity(counters)
        require(difference == 0, f"the identity is broken by {difference}")
        return counters

    # -- interfaces

    def link(self, near="near0", far="far0"):
        """A pair of interfaces in this namespace, without addresses of their own, so that nothing travels by itself."""
        for path in ("/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6"):
            with open(path, "w", encoding="ascii") as file:
                file.write("1")
        probe.ip("link", "add", near, "type", "veth", "peer", "name", far)
        for name in (near, far):
            probe.ip("link", "set", name, "up")
        return near, far

    def live(self, *arguments, interface="near0", ready=True, **more):
        running = self.start(
            "-interface",
            interface,
            "--counters",
            self.path("counters.json"),
            "--set",
            "capture.buffer_size_mb=16",
            "--set",
            "capture.workers=1",
            *arguments,
            **more,
        )
        return running.ready() if ready else running

    def loopback(self):
        probe.ip("link", "set", "lo", "up")

    def close(self):
        for running in self.running:
            running.kill()


def frames(count, first=0, payload=10, protocol="udp"):
    """Datagrams of so many flows."""
    c = traffic.Capture()
    if protocol == "udp":
        c.udp(0, traffic.Host(1), traffic.Host(9), 4, 1, 2000, payload)
    else:
        c.tcp(0, traffic.Host(1), traffic.Host(9), 4, 1, 2000, "0 > 1 0 0 S 1000")
    frame = c.frames[0][1]
    return [frame[:26] + struct.pack("!I", 0x0A000000 + first + i) + frame[30:] for i in range(count)]


def transmit(interface, octets, pause=0.0):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((interface, 0))
        for i, frame in enumerate(octets):
            s.send(frame)
            if pause and i % 20 == 19:
                time.sleep(pause)


class Manager:
    """The notify socket of a service manager: what was said, and when."""

    def __init__(self, t):
        self.path = t.path("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.fed = []  # when the watchdog was fed
        self.said = []
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def environment(self, watchdog):
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(watchdog * 1e6))}

    def listen(self):
        while True:
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(256))
            for _, kind, content in ancillary:
                if kind == socket.SCM_RIGHTS:
                    for (fd,) in struct.iter_unpack("i", content):
                        os.close(fd)
            lines = data.decode(errors="replace").splitlines()
            self.said += lines
            if "WATCHDOG=1" in lines:
                self.fed.append(time.monotonic())

    def longest_pause(self, since):
        times = [since, *(moment for moment in self.fed if moment > since), time.monotonic()]
        return max(b - a for a, b in zip(times, times[1:]))


class Pipe:
    """A pipe of the smallest size that nobody reads until told to."""

    def __init__(self):
        self.reader, self.writer = os.pipe()

    def started(self):
        """The program has the writing end now."""
        os.close(self.writer)
        self.writer = None

    def read_all(self, seconds=20):
        chunks, end = [], time.monotonic() + seconds
        while True:
            require(select.select([self.reader], [], [], max(0.0, end - time.monotonic()))[0], "the pipe did not end")
            chunk = os.read(self.reader, 1 << 20)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
