# SPDX-License-Identifier: Apache-2.0
"""Outputs that block, fill up or are closed: the program says why, counts what was lost, and ends."""

import os
import signal
import subprocess
import time

import harness
from harness import FAILURE, FOREVER, Miss, Pipe, ipfix, require, test, until

PATIENCE = 15  # seconds that an end may take beside an output that takes nothing


def no_bug(done):
    require("this is a bug" not in done.err, done.said())
    require("a thread does not end" not in done.err, done.said())


# ---- outputs that block


@test("A FIFO without a reader as an output keeps neither a start nor a signal waiting", limit=100)
def fifo_at_start(t):
    t.link()
    capture, _ = t.capture()
    fifo = t.path("fifo")
    os.mkfifo(fifo)
    for source in (("-interface", "near0", "--set", "capture.buffer_size_mb=16"), ("--read", capture)):
        for output in (("--write-ipfix", fifo), ("--set", f"export.collectors=file://{fifo}")):
            running = t.start(*source, *output)
            time.sleep(0.7)
            if running.alive():
                done = running.stop(PATIENCE)
            done = running.done
            no_bug(done)
            require(done.status in (0, FAILURE), f"{' '.join(output)}: status {done.status}: {done.said()}")
            if done.status:
                require(fifo in done.err, f"{' '.join(output)}: not named: {done.said()}")


@test("A reload to a FIFO without a reader leaves main awake", limit=60)
def fifo_at_reload(t):
    t.link()
    config = t.path("c.yaml", "export:\n  inactive_timeout: 1s\n")
    manager = harness.Manager(t)
    fifo = t.path("fifo")
    os.mkfifo(fifo)
    running = t.live("-config", config, "--output", "none", env=manager.environment(4))
    since, before = time.monotonic(), len(running.log_lines())
    t.path("c.yaml", f"export:\n  inactive_timeout: 1s\n  collectors: ['file://{fifo}']\n")
    running.reload()
    running.answers(5)
    until("a word about the reload", lambda: len(running.log_lines()) > before, 10)
    harness.transmit("far0", harness.frames(200))
    time.sleep(4)
    running.answers(5)
    require(manager.longest_pause(since) < 3.9, f"the watchdog was not fed for {manager.longest_pause(since):.1f} s")
    done = running.stop(PATIENCE)
    no_bug(done)
    t.exact()


OUTPUTS = {
    "ipfix": ("--write-ipfix", "-"),
    "json": ("--output", "json"),
    "table": ("--output", "table"),
    "file:///dev/stdout": ("--output", "none", "--set", "export.collectors=file:///dev/stdout"),
}


@test("A pipe that nobody reads ends the program's patience, not its books: reading a file", limit=150)
def pipe_unread_file(t):
    capture, packets = t.capture(50_000)
    for name, output in OUTPUTS.items():
        for signals in ((), (signal.SIGTERM,), (signal.SIGHUP, signal.SIGTERM)):
            pipe = Pipe()
            running = t.start(
                "--read", capture, *output, "--counters", t.path("counters.json"), *FOREVER, stdout=pipe.writer
            )
            pipe.started()
            try:
                # Without a signal a file's reader waits for its output, as any filter does.
                if not signals:
                    time.sleep(2.5)
                    if name != "table":
                        require(running.alive(), "a reader that is slow is given up within 2.5 s")
                    data = pipe.read_all()
                    done = running.within(20, "the end")
                    require(done.status == 0, f"status {done.status}: {done.said()}")
                    check_whole(t, name, data, packets)
                    continue
                time.sleep(1)
                if running.alive():
                    for number in signals:
                        running.send(number)
                done = running.within(PATIENCE, "SIGTERM")
                no_bug(done)
                require(done.status in (0, FAILURE), f"status {done.status}: {done.said()}")
                t.exact()
            except Miss as miss:
                raise Miss(
                    f"{name}, {'+'.join(number.name for number in signals) or 'a slow reader'}: {miss}"
                ) from None
            finally:
                running.kill()
                os.close(pipe.reader)


def check_whole(t, name, data, packets):
    counters = t.exact()
    require(counters["packets_in_records_sent"] == packets, f"{counters['packets_in_records_sent']} of {packets} sent")
    if name in ("ipfix", "file:///dev/stdout"):
        records = len(ipfix.read_file(t.path("out", data)).records)
    elif name == "json":
        records = data.count(b"\n")
    else:
        return
    require(records == packets, f"{records} records of {packets} came")


@test("A pipe that nobody reads on a live interface: capture goes on, and the end is in time", limit=150)
def pipe_unread_live(t):
    t.link()
    for name, output in OUTPUTS.items():
        pipe = Pipe()
        manager = None
        running = t.live(*output, "--set", "export.inactive_timeout=1s", stdout=pipe.writer)
        pipe.started()
        try:
            harness.transmit("far0", harness.frames(8000), 0.002)
            time.sleep(2)
            running.answers(5)
            for number in (signal.SIGHUP, signal.SIGTERM):
                running.send(number)
            done = running.within(PATIENCE, "SIGHUP and SIGTERM")
            no_bug(done)
            counters = t.exact()
            require(counters["packets_received"] == 8000, f"{counters['packets_received']} of 8000 received")
        except Miss as miss:
            raise Miss(f"{name}: {miss}") from None
        finally:
            running.kill()
            os.close(pipe.reader)
    del manager


@test("A reader that is stopped and goes on gets every record; one that goes away is no fault", limit=60)
def pipe_stopped_reader(t):
    capture, packets = t.capture(50_000)
    for name in ("ipfix", "json"):
        pipe = Pipe()
        out = open(t.path("copy"), "wb")
        reader = subprocess.Popen(["cat"], stdin=pipe.reader, stdout=out)
        os.kill(reader.pid, signal.SIGSTOP)
        running = t.start(
            "--read", capture, *OUTPUTS[name], "--counters", t.path("counters.json"), *FOREVER, stdout=pipe.writer
        )
        pipe.started()
        os.close(pipe.reader)
        time.sleep(2)
        os.kill(reader.pid, signal.SIGCONT)
        done = running.within(20, f"{name}: the end")
        reader.wait(20)
        out.close()
        require(done.status == 0, f"{name}: status {done.status}: {done.said()}")
        with open(t.path("copy"), "rb") as file:
            check_whole(t, name, file.read(), packets)
    for name, output in OUTPUTS.items():
        pipe = Pipe()
        running = t.start("--read", capture, *output, "--counters", t.path("counters.json"), stdout=pipe.writer)
        pipe.started()
        os.read(pipe.reader, 100)
        os.close(pipe.reader)
        done = running.within(20, f"{name}: a reader went away")
        require(done.status == 0, f"{name}: a reader went away: status {done.status}: {done.said()}")
        t.exact()


# ---- outputs that fail


def small_disk(t, octets=64 << 10):
    folder = t.path("disk")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={octets}", "none", folder], check=True, capture_output=True)
    return folder


def check_failed(t, name, done, reason="No space left"):
    require(done.status == FAILURE, f"{name}: status {done.status}, not 1: {done.said() or 'not a word'}")
    require(reason.lower() in done.err.lower(), f"{name}: the reason is not told: {done.said() or 'not a word'}")
    no_bug(done)
    counters = t.exact()
    require(counters["packets_in_records_not_sent"] > 0, f"{name}: nothing counts as not sent")
    return counters


@test("An output on a full device: status 1 and the reason, and nothing counts as sent", limit=60)
def full_device(t):
    capture, packets = t.capture(5000)
    for name, output in OUTPUTS.items():
        with open("/dev/full", "wb") as full:
            done = t.run("--read", capture, *output, "--counters", t.path("counters.json"), *FOREVER, stdout=full)
        counters = check_failed(t, name, done)
        require(
            counters["packets_in_records_sent"] == 0, f"{name}: {counters['packets_in_records_sent']} packets 'sent'"
        )
    for output in (("--write-ipfix", "/dev/full"), ("--set", "export.collectors=file:///dev/full")):
        for workers in ("1", "2"):
            done = t.run(
                "--read",
                capture,
                *output,
                "--output",
                "none",
                "--counters",
                t.path("counters.json"),
                *FOREVER,
                "--set",
                f"capture.workers={workers}",
            )
            counters = check_failed(t, " ".join(output), done)
            require(counters["packets_in_records_sent"] == 0, f"{output}: {counters['packets_in_records_sent']} 'sent'")
    small, _ = t.capture(3, "small.pcap")
    for name, output in OUTPUTS.items():
        with open("/dev/full", "wb") as full:
            done = t.run("--read", small, *output, "--counters", t.path("counters.json"), *FOREVER, stdout=full)
        check_failed(t, f"{name} of three records", done)


@test("The same on a live interface, at SIGTERM", limit=60)
def full_device_live(t):
    t.link()
    for name, output in (*OUTPUTS.items(), ("file", ("--write-ipfix", "/dev/full"))):
        with open("/dev/full", "wb") as full:
            running = t.live(*output, "--set", "export.inactive_timeout=1s", stdout=full)
        harness.transmit("far0", harness.frames(500))
        time.sleep(2)
        running.answers(5)
        check_failed(t, name, running.stop(10))


@test("A disk that fills up: status 1, the reason, and what counts as sent is in the file", limit=60)
def full_disk(t):
    capture, packets = t.capture(20_000)
    folder = small_disk(t)
    for name in OUTPUTS:
        path = os.path.join(folder, "out")
        if name == "table":
            with open(os.path.join(folder, "filler"), "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(bytes(4096))
                except OSError:
                    pass
        with open(path, "wb") as out:
            done = t.run("--read", capture, *OUTPUTS[name], "--counters", t.path("counters.json"), *FOREVER, stdout=out)
        counters = check_failed(t, name, done)
        check_sent(t, name, path, counters)
        os.unlink(path)
        if name == "table":
            os.unlink(os.path.join(folder, "filler"))
    path = os.path.join(folder, "named")
    done = t.run("--read", capture, "--write-ipfix", path, "--counters", t.path("counters.json"), *FOREVER)
    check_sent(t, "--write-ipfix", path, check_failed(t, "--write-ipfix", done))


def check_sent(t, name, path, counters):
    """As many records stand in the file, whole, as were counted as sent."""
    with open(path, "rb") as file:
        data = file.read()
    sent = counters["packets_in_records_sent"]
    if name == "table":
        require(sent == 0 or data, f"{name}: {sent} counted as sent, the file is empty")
        return
    if name == "json":
        found = data.count(b"\n")
    else:
        at = 0
        while len(data) - at >= 16 and len(data) - at >= int.from_bytes(data[at + 2 : at + 4], "big") >= 16:
            at += int.from_bytes(data[at + 2 : at + 4], "big")
        found = len(ipfix.read_file(t.path("whole", data[:at])).records)
    require(found == sent, f"{name}: {sent} records counted as sent, {found} whole ones in the file")


@test("A limit of file size ends the output, not the program: status 1, the reason, counters", limit=60)
def file_size_limit(t):
    capture, packets = t.capture(20_000)
    for name, output in OUTPUTS.items():
        limit = 8192 if name != "table" else 256
        path = t.path("out")
        with open(path, "wb") as out:
            # The counters must fit: their size is no matter of this test.
            done = t.run(
                "--read",
                capture,
                *output,
                "--counters",
                t.path("counters.json"),
                *FOREVER,
                stdout=out,
                preexec=harness.limited(file_octets=limit),
            )
        require(done.status >= 0, f"{name}: killed by {signal.Signals(-done.status).name}" if done.status < 0 else "")
        if name == "table":
            require(done.status == FAILURE, f"{name}: status {done.status}")
            continue
        check_sent(t, name, path, check_failed(t, name, done, "File too large"))
    done = t.run(
        "--read",
        capture,
        "--write-ipfix",
        t.path("named"),
        "--counters",
        t.path("counters.json"),
        *FOREVER,
        preexec=harness.limited(file_octets=8192),
    )
    require(done.status >= 0, f"--write-ipfix: killed by signal {-done.status}")
    check_sent(t, "--write-ipfix", t.path("named"), check_failed(t, "--write-ipfix", done, "File too large"))


# ---- the file of counters


@test("Counters that cannot be written are told before the run; an old file stays, no link is followed", limit=60)
def counters_file(t):
    capture, _ = t.capture()
    for path in ("/no/such/folder/c.json", t.folder, "/proc/c.json"):
        pipe = Pipe()
        running = t.start("--read", "-", "--output", "none", "--counters", path, stdin=pipe.reader)
        try:
            done = running.poll(3)
            require(done is not None, f"{path}: noticed only after the run")
            require(
                done.status == FAILURE and path in done.err and len(done.lines()) == 1,
                f"{path}: status {done.status}: {done.said()}",
            )
        finally:
            running.kill()
    # Whoever may write into the folder shall not have the program write elsewhere.
    victim = t.path("victim", "untouched")
    for name in ("c.json.new", "c.json.tmp"):
        os.symlink(victim, t.path(name))
    done = t.run("--read", capture, "--output", "none", "--counters", t.path("c.json"))
    with open(victim, encoding="ascii") as file:
        require(file.read() == "untouched", "a link beside the file of counters was followed")
    require(done.status in (0, FAILURE), f"status {done.status}: {done.said()}")
    if done.status == 0:
        t.exact("c.json")
    for name in ("d.json.new", "d.json.tmp"):
        os.mkfifo(t.path(name))
    t.run("--read", capture, "--output", "none", "--counters", t.path("d.json"), what="a FIFO beside the counters")
    folder = small_disk(t, 16 << 10)
    old = os.path.join(folder, "c.json")
    with open(old, "w", encoding="ascii") as file:
        file.write("old")
    with open(os.path.join(folder, "filler"), "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
    done = t.run("--read", capture, "--output", "none", "--counters", old)
    require(done.status == FAILURE and "No space left" in done.err, f"full disk: status {done.status}: {done.said()}")
    left = sorted(os.listdir(folder))
    require(left == ["c.json", "filler"], f"full disk: left behind: {left}")
    with open(old, encoding="ascii") as file:
        require(file.read() == "old", "full disk: the old file is gone")


# ---- closed descriptors


@test(
    "Started with any of descriptors 0 to 2 closed it works, and nothing is written where it does not belong", limit=120
)
def closed_descriptors(t):
    t.link()
    capture, packets = t.capture()
    reference = t.run("--read", capture, "--write-ipfix", t.path("reference"), "--output", "none", *FOREVER)
    require(reference.status == 0, reference.said())
    wanted = sorted(map(repr, map(ipfix.key, ipfix.read_file(t.path("reference")).records)))
    for mask in range(1, 8):
        closed = [fd for fd in range(3) if mask >> fd & 1]

        def close(closed=tuple(closed)):
            for fd in closed:
                os.close(fd)

        def books(name, done):
            require(done.status == 0, f"{name}: status {done.status}: {done.said()}")
            counters = t.exact()
            with open(t.path("counters.json"), "rb") as file:
                require(file.read().lstrip()[:1] == b"{", f"{name}: something else stands in the counters")
            return counters

        name = f"closed {closed}"
        for path in ("o.ipfix", "counters.json"):
            if os.path.exists(t.path(path)):
                os.unlink(t.path(path))
        done = t.run(
            "--read",
            capture,
            "--write-ipfix",
            t.path("o.ipfix"),
            "--output",
            "json",
            "--counters",
            t.path("counters.json"),
            *FOREVER,
            preexec=close,
            limit=8,
            what=f"{name}: reading",
        )
        # JSON into nothing may be called a failure; the other output must not have got it.
        require(done.status in ((0, FAILURE) if 1 in closed else (0,)), f"{name}: status {done.status}: {done.said()}")
        if done.status == FAILURE and not os.path.exists(t.path("o.ipfix")):
            require("standard output" in done.err or 2 in closed, f"{name}: refused without a word: {done.said()}")
        else:
            try:
                found = sorted(map(repr, map(ipfix.key, ipfix.read_file(t.path("o.ipfix")).records)))
            except (ipfix.Fault, OSError) as fault:
                raise Miss(f"{name}: the IPFIX file: {fault}") from None
            require(found == wanted, f"{name}: {len(found)} records in the IPFIX file, not {len(wanted)}")
            t.exact()
        running = t.start(
            "-interface",
            "near0",
            "--counters",
            t.path("counters.json"),
            "--write-ipfix",
            t.path("live.ipfix"),
            "--output",
            "none",
            "--set",
            "capture.buffer_size_mb=16",
            preexec=close,
        )
        until(f"{name}: a packet socket", lambda: harness.probe.packet_sockets("near0") > 0 or not running.alive(), 8)
        time.sleep(0.3)
        harness.transmit("far0", harness.frames(20))
        time.sleep(0.3)
        require(books(f"{name}, live", running.stop(8))["packets_received"] == 20, f"{name}: live: packets")
        ipfix.read_file(t.path("live.ipfix"))
