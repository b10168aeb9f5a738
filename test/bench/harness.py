# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: workloads that are made once, costs of a command, a fast reader of IPFIX files, tables.

Time is processor time, of the command and all that it started; a figure is the median of some rounds, and everything
that is compared is run in turn within each round, so that what disturbs one disturbs all.
"""

import csv
import ipaddress
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build", "release")


class Failure(Exception):
    """Something measured is not what it should be: the figures are worth nothing."""


def require(condition, text):
    if not condition:
        raise Failure(text)


def tool(name, folder=None):
    path = os.path.join(folder or os.path.join(BUILD, "test", "bench"), "bench_" + name)
    require(os.access(path, os.X_OK), f"{path} is not there: cmake --build --preset release --target bench")
    return os.path.realpath(path)


# ---- workloads


def newer(path, than):
    return os.path.exists(path) and os.path.getmtime(path) > os.path.getmtime(than)


class Workload:
    """A capture file, what is in it, and where the truth about its connections is (kind tcp)."""

    def __init__(self, folder, kind, packets=None, flows=None, stop=None, tools=None):
        numbers = {"packets": packets, "flows": flows, "stop": stop}
        numbers = {name: int(number) for name, number in numbers.items() if number is not None}
        self.kind = kind
        name = "-".join([kind, *(f"{key}{number}" for key, number in numbers.items())])
        self.path = os.path.join(folder, name + ".pcap")
        self.truth = os.path.join(folder, name + ".csv") if kind == "tcp" and stop is None else None
        facts = os.path.join(folder, name + ".json")
        generator = tool("workload", tools)
        if not (newer(facts, generator) and os.path.exists(self.path)):
            command = [generator, kind, self.path]
            for key, number in numbers.items():
                command += ["--" + key, str(number)]
            if self.truth:
                command += ["--truth", self.truth]
            made = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            with open(facts, "wb") as file:
                file.write(made)
        with open(facts, encoding="ascii") as file:
            self.facts = json.load(file)
        self.packets, self.records = self.facts["packets"], self.facts["records"]

    def warm(self):
        """Into the page cache: disks are not measured here."""
        with open(self.path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass

    def remove(self):
        for path in (self.path, self.path[:-5] + ".json", self.path[:-5] + ".csv"):
            if os.path.exists(path):
                os.unlink(path)


# ---- costs


class Cost:
    def __init__(self, user_s, system_s, wall_s, peak_kib, status):
        self.user_s, self.system_s, self.wall_s, self.status = user_s, system_s, wall_s, status
        self.cpu_s, self.rss_mib = user_s + system_s, peak_kib / 1024


def touch_memory(mib, tools=None):
    """Nobody shall pay for pages that the host of a virtual machine took back; see measure.cpp."""
    with open("/proc/meminfo", encoding="ascii") as file:
        free = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable")) // 1024
    subprocess.run([tool("measure", tools), "--touch", str(min(mib, free // 2))], check=False)


def measure(command, limit=120, log=subprocess.DEVNULL, tools=None, cwd=None):
    with tempfile.NamedTemporaryFile(prefix="chompy-bench-") as result:
        subprocess.run(
            [tool("measure", tools), result.name, str(limit), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd,
            check=False,
        )
        cost = Cost(**json.load(result))
    require(cost.status == 0, f"status {cost.status}: {' '.join(command)}")
    return cost


def median(numbers):
    return statistics.median(numbers)


class Running:
    """A program in the background, its error output line by line; ended by its process id."""

    def __init__(self, command, prefix=(), out=subprocess.DEVNULL, log=subprocess.PIPE, env=None):
        self.process = subprocess.Popen(
            [*prefix, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=env
        )
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_for_line(self, part):
        """The first line of the error output with `part` in it."""
        lines = []
        for line in self.process.stderr:
            lines.append(line.decode(errors="replace"))
            if part in lines[-1]:
                return lines[-1]
        raise Failure(f"ended before it said {part!r}: {''.join(lines[-3:])}")

    def stop(self, number=signal.SIGTERM, limit=30):
        """Exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode


# ---- IPFIX


class IpfixFile:
    """Counts the records of a file and picks fields: one struct a template, millions of records in seconds.

    `fields` are (enterprise number, element) pairs; rows() gives their values as tuples, in the order of the pairs.
    Reading for correctness is the business of test/system/ipfix.py.
    """

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.templates = {}

    def sets(self):
        at = 0
        while at < len(self.data):
            version, length = struct.unpack_from("!HH", self.data, at)
            require(version == 10 and length >= 16, f"no IPFIX Message at octet {at}")
            end, place = at + length, at + 16
            while place < end:
                number, size = struct.unpack_from("!HH", self.data, place)
                require(size >= 4, f"Set of {size} octets")
                if number == 2:
                    self.learn(place + 4, place + size)
                elif number >= 256 and number in self.templates:  # Sets of Options Data have other numbers
                    yield number, place + 4, place + size
                place += size
            at = end

    def learn(self, at, end):
        while end - at >= 4:
            number, count = struct.unpack_from("!HH", self.data, at)
            at, fields = at + 4, []
            for _ in range(count):
                element, size = struct.unpack_from("!HH", self.data, at)
                at, pen = at + 4, 0
                if element & 0x8000:
                    (pen,) = struct.unpack_from("!I", self.data, at)
                    at += 4
                fields.append(((pen, element & 0x7FFF), size))
            self.templates[number] = fields

    def record_octets(self, number):
        return sum(size for _, size in self.templates[number])

    def count(self):
        return sum((end - begin) // self.record_octets(number) for number, begin, end in self.sets())

    def rows(self, fields):
        codes = {1: "B", 2: "H", 4: "I", 8: "Q"}
        readers = {}
        for number, begin, end in self.sets():
            if number not in readers:
                have = [(name, size) for name, size in self.templates[number]]
                code = "!" + "".join(codes.get(s, f"{s}s") if name in fields else f"{s}x" for name, s in have)
                picked = [name for name, _ in have if name in fields]
                order = [picked.index(name) if name in picked else None for name in fields]
                readers[number] = (struct.Struct(code), order, picked == list(fields))
            reader, order, straight = readers[number]
            whole = (end - begin) // reader.size * reader.size
            for row in reader.iter_unpack(memoryview(self.data)[begin : begin + whole]):
                yield row if straight else tuple(None if i is None else row[i] for i in order)


PACKETS, OCTETS = (0, 2), (0, 1)
PEN = 99999
TCP_FIELDS = ((0, 8), (0, 12), (0, 7), (0, 11), PACKETS, (PEN, 4), (PEN, 1), (PEN, 3), (PEN, 2))


def check_totals(path, workload):
    """Records, packets and octets of the file are those of the generator."""
    file = IpfixFile(path)
    records = packets = octets = 0
    for octet_count, packet_count in file.rows((OCTETS, PACKETS)):
        records, packets, octets = records + 1, packets + packet_count, octets + octet_count
    found, wanted = (records, packets, octets), tuple(workload.facts[k] for k in ("records", "packets", "ip_octets"))
    require(found == wanted, f"{workload.path}: records, packets, octets are {found}, not {wanted}")


def check_truth(path, workload):
    """Every record of every connection: packets, retransmissions, smallest, mean and largest round trip."""
    found = {row[:4]: row[4:] for row in IpfixFile(path).rows(TCP_FIELDS)}
    records = wrong = retransmits = 0
    example = ""
    with open(workload.truth, encoding="ascii") as file:
        for row in csv.DictReader(file):
            ends = [int(ipaddress.IPv4Address(row[k])) for k in ("client", "server")]
            ports = [int(row[k]) for k in ("client_port", "server_port")]
            for way, back in enumerate(("", "_back")):
                key = (*ends[:: 1 - 2 * way], *ports[:: 1 - 2 * way])
                rtt = int(row["rtt_client_us" if way else "rtt_server_us"])
                wanted = (int(row["packets" + back]), int(row["retransmits" + back]), rtt, rtt, rtt)
                retransmits += wanted[1]
                records += 1
                if found.get(key) != wanted:
                    wrong, example = wrong + 1, example or f"{key}: {found.get(key)}, not {wanted}"
    require(len(found) == records, f"{len(found)} records of {records}")
    require(wrong == 0, f"{wrong} of {records} records differ from the truth, such as {example}")
    return records, retransmits


# ---- namespaces


def enter_private_network():
    """Starts the script anew in a network of its own: what peers export stays here.  Needs root or user namespaces."""
    if os.environ.get("CHOMPY_BENCH_NETWORK"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    for options in ((["--net"],) if os.geteuid() == 0 else ()) + (["--user", "--map-root-user", "--net"],):
        if subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0:
            os.environ["CHOMPY_BENCH_NETWORK"] = "yes"
            os.execvp("unshare", ["unshare", *options, sys.executable, "-B", *sys.argv])
    raise Failure("network namespaces are not allowed here")


class Sink:
    """A UDP port of the loopback interface that takes everything and reads nothing."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.bind(("127.0.0.1", port))

    def close(self):
        self.socket.close()


# ---- printing


def spread(values, digits=0):
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def print_table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def machine():
    """One line: processor, cores, kernel, date, and how busy it is."""
    name = "unknown processor"
    with open("/proc/cpuinfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    load = "%.1f" % os.getloadavg()[0]
    date = subprocess.run(["date", "-u", "+%Y-%m-%d %H:%M UTC"], capture_output=True, check=True, text=True).stdout
    return f"{name}, {os.cpu_count()} CPUs, Linux {os.uname().release}; {date.strip()}; load {load} before the run"
