# SPDX-License-Identifier: Apache-2.0
"""Runs the built program for the system tests, and the private namespaces that the live ones need."""

import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

BINARY = None  # set by main()
LIMIT = 60  # seconds that a run may take; sanitizers are slow
# Records end with the run: no timeout is reached, and with PATIENT no closed connection is done with.
FOREVER = ("--set", "export.active_timeout=1000000s", "--set", "export.inactive_timeout=1000000s")
PATIENT = (*FOREVER, "--set", "tcp.close_linger=1000s")


class Result:
    def __init__(self, status, out, err, folder):
        self.status, self.out, self.err, self.folder = status, out, err, folder

    def counters(self):
        with open(os.path.join(self.folder, "counters.json"), encoding="utf-8") as file:
            return json.load(file)

    def errors(self):
        """Lines of the error output that are no log lines of a lower level."""
        return [line for line in self.err.splitlines() if line.strip()]


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="chompy-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb" if isinstance(data, bytes) else "w") as file:
                file.write(data)
        return path

    def run_probe(self, *arguments, stdin=None, env=None, prefix=(), cwd=None):
        done = subprocess.run(
            [*prefix, BINARY, *arguments],
            input=stdin,
            capture_output=True,
            timeout=LIMIT,
            cwd=cwd or self.folder,
            env={**clean_environment(), **(env or {})},
            check=False,
        )
        result = Result(
            done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), self.folder
        )
        self.assertNotIn("Sanitizer", result.err)
        self.assertGreaterEqual(result.status, 0, f"killed by a signal: {result.err}")
        return result

    def assert_identity(self, c):
        """The accounting identity: every packet that reached us is in exactly one of these places."""
        discarded = c["packets_discarded"]
        discarded = sum(discarded.values()) if isinstance(discarded, dict) else discarded
        self.assertEqual(
            c["packets_received"],
            c["packets_filtered"]
            + discarded
            + c["packets_in_records_sent"]
            + c["packets_in_records_not_sent"]
            + c["packets_in_table"],
            c,
        )


def clean_environment():
    """Without what would make the program believe that systemd started it."""
    return {
        k: v
        for k, v in os.environ.items()
        if k not in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "INVOCATION_ID", "LISTEN_FDS", "WATCHDOG_USEC", "WATCHDOG_PID")
    }


class Running:
    """The program in the background; stopped at the end by its process id, whatever happens."""

    def __init__(self, case, *arguments, prefix=(), env=None, pass_fds=()):
        self.errors = open(case.path(f"stderr-{len(arguments)}-{time.monotonic_ns()}"), "w+b")
        self.output = open(self.errors.name + "-out", "w+b")
        self.process = subprocess.Popen(
            [*prefix, BINARY, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.errors,
            cwd=case.folder,
            env={**clean_environment(), **(env or {})},
            pass_fds=pass_fds,
        )
        self.case = case
        case.addCleanup(self.close)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.errors.close()
        self.output.close()

    def text(self, file=None):
        file = file or self.errors
        file.flush()
        with open(file.name, encoding="utf-8", errors="replace") as again:
            return again.read()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.finish()

    def finish(self):
        status = self.process.wait(LIMIT)
        text = self.text()
        self.case.assertNotIn("Sanitizer", text)
        return Result(status, self.text(self.output), text, self.case.folder)


def wait_for(what, condition, seconds=20.0):
    """Polls until `condition()` is true; nothing here waits for a while and hopes."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        select.select([], [], [], 0.02)


def packet_sockets(interface, pid="self"):
    """Packet sockets that are bound to the interface and running, as the kernel lists them."""
    index = socket.if_nametoindex(interface)
    with open(f"/proc/{pid}/net/packet", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(1 for row in rows if int(row[4]) == index and row[5] == "1")


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def offload(interface, on):
    """TSO, GSO and GRO on or off; off, packets on the veth are as on a wire.  ETHTOOL_S* of linux/ethtool.h."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in (0x1F, 0x24, 0x2C, 0x17):  # STSO, SGSO, SGRO, STXCSUM
            data = ctypes.create_string_buffer(struct.pack("II", command, on))
            try:
                fcntl.ioctl(s, 0x8946, struct.pack("16sP", interface.encode(), ctypes.addressof(data)))
            except OSError:
                pass


def no_offload(interface):
    offload(interface, 0)


class Neighbour:
    """A second network namespace, joined to ours by the veth pair `near` (here) and `far` (there)."""

    def __init__(self, near="near0", far="far0"):
        self.near, self.far = near, far
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.holder.stdout.readline()
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", str(self.holder.pid))
        # Without multicast and automatic addresses nothing travels but what a test sends.
        for prefix, name, v4, v6 in (
            ((), near, "10.9.0.1/24", "fd00:9::1/64"),
            (self.enter(), far, "10.9.0.2/24", "fd00:9::2/64"),
        ):
            script = f"""ip link set lo up; ip link set {name} addrgenmode none; ip addr add {v4} dev {name}
                ip addr add {v6} dev {name} nodad; ip link set {name} up"""
            subprocess.run([*prefix, "sh", "-ec", script], check=True, capture_output=True)
        no_offload(near)
        subprocess.run(
            [
                *self.enter(),
                sys.executable,
                "-c",
                f"import sys; sys.path[0] = {os.path.dirname(__file__)!r}; import probe; probe.no_offload({far!r})",
            ],
            check=True,
        )

    def enter(self):
        return ("nsenter", "--target", str(self.holder.pid), "--net")

    def close(self):
        # The kernel takes its time with a namespace that nobody needs any more; the pair goes now.
        subprocess.run(["ip", "link", "del", self.near], capture_output=True, check=False)
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait()


def skip(reason):
    """77 tells ctest that the test could not run here; where everything must run, that is a failure."""
    print("cannot run here:", reason)
    sys.exit(1 if os.environ.get("CI") else 77)


def in_namespaces(case, *options):
    """What stands before a command that is to be root in namespaces of its own, whoever runs the test."""
    prefix = ("unshare", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")), *options)
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        case.skipTest("namespaces are not allowed")
    return prefix


def enter_namespace():
    """Starts the script anew in private user and network namespaces (as root: a network namespace alone)."""
    if os.environ.get("CHOMPY_IN_NAMESPACE"):
        return
    for options in ((["--net"],) if os.geteuid() == 0 else ()) + (["--user", "--map-root-user", "--net"],):
        if subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0:
            os.environ["CHOMPY_IN_NAMESPACE"] = "user" if "--user" in options else "net"
            os.execvp("unshare", ["unshare", *options, sys.executable, *sys.argv])
    skip("network namespaces are not allowed")


def main():
    global BINARY
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} PROGRAM [unittest arguments]")
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
