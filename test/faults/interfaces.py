# SPDX-License-Identifier: Apache-2.0
"""Interfaces that change their names, have two, come back as something else, or are named by strange octets."""

import fcntl
import json
import struct
import subprocess
import time

import harness
import probe
from strangers import page
from harness import Skip, require, test, until


def rename(old, new):
    probe.ip("link", "set", old, "name", new)


@test(
    "Renamed while down, its name taken by another: the one of that name is metered, the renamed one is not", limit=90
)
def renamed_interface(t):
    for while_down in (True, False):
        t.link("near0", "far0")
        t.link("other0", "otherfar0")
        running = t.live("--output", "none")
        harness.transmit("far0", harness.frames(5))
        time.sleep(0.3)
        if while_down:
            probe.ip("link", "set", "near0", "down")
            until("the link is missed", lambda: "waiting for it" in running.log(), 10)
        try:
            rename("near0", "old0")
        except subprocess.CalledProcessError:
            # Some kernels rename nothing that is up.
            running.stop()
            probe.ip("link", "del", "far0")
            probe.ip("link", "del", "other0")
            continue
        probe.ip("link", "set", "other0", "down")
        rename("other0", "near0")
        for name in ("near0", "old0"):
            probe.ip("link", "set", name, "up")
        until("a ring on the interface that has the name now", lambda: probe.packet_sockets("near0") > 0, 10)
        until("no ring on the renamed one", lambda: probe.packet_sockets("old0") == 0, 10)
        time.sleep(0.5)
        harness.transmit("otherfar0", harness.frames(20, 100))
        harness.transmit("far0", harness.frames(300, 1000))
        time.sleep(0.5)
        require(running.stop(10).status == 0, "status")
        received = t.exact()["packets_received"]
        require(received == 25, f"{'down' if while_down else 'up'}: {received} packets received, not 5 and 20")
        probe.ip("link", "del", "far0")
        probe.ip("link", "del", "otherfar0")


@test("An interface that gets its name back is metered again", limit=60)
def renamed_and_back(t):
    t.link()
    running = t.live("--output", "none")
    probe.ip("link", "set", "near0", "down")
    rename("near0", "away0")
    probe.ip("link", "set", "away0", "up")
    time.sleep(1.5)
    harness.transmit("far0", harness.frames(50, 1000))
    time.sleep(0.3)
    probe.ip("link", "set", "away0", "down")
    rename("away0", "near0")
    probe.ip("link", "set", "near0", "up")
    until("a ring", lambda: probe.packet_sockets("near0") > 0, 10)
    until("capturing again", lambda: "is up, capturing" in running.log(), 10)
    time.sleep(0.5)
    harness.transmit("far0", harness.frames(20))
    time.sleep(0.3)
    require(running.stop(10).status == 0, "status")
    received = t.exact()["packets_received"]
    require(received == 20, f"{received} packets received, not the 20 under its name")


@test("Two names of one interface count a packet once, or are refused in one line", limit=60)
def interface_twice(t):
    t.link()
    probe.ip("link", "property", "add", "dev", "near0", "altname", "alternative0")
    for names in (
        "near0,alternative0",
        "near0,near0",
        "alternative0,near0",
        "alternative0,alternative0",
        "alternative0",
    ):
        running = t.start(
            "-interface",
            names,
            "--counters",
            t.path("counters.json"),
            "--output",
            "none",
            "--set",
            "capture.buffer_size_mb=16",
        )
        until("a start or an end", lambda: "capturing on" in running.log() or not running.alive(), 10)
        if not running.alive():
            require(names != "alternative0" or "alternative0" in running.done.err, f"{names}: {running.done.said()}")
            require(
                running.done.status in (1, 2, 78) and len(running.done.lines()) == 1,
                f"{names}: status {running.done.status}: {running.done.said()}",
            )
            continue
        harness.transmit("far0", harness.frames(10))
        time.sleep(0.3)
        require(running.stop(10).status == 0, f"{names}: status")
        received = t.exact()["packets_received"]
        require(received == 10, f"{names}: {received} packets received of 10")


@test("An interface that is renamed to an altname's twin or gets an altname later is still counted once", limit=60)
def interface_twice_later(t):
    t.link()
    t.link("near1", "far1")
    config = t.path("c.yaml", "export:\n  inactive_timeout: 1s\n")
    # Under a service manager an interface that is absent is waited for.
    manager = harness.Manager(t)
    running = t.start(
        "-interface",
        "near0,late0",
        "-config",
        config,
        "--counters",
        t.path("counters.json"),
        "--output",
        "none",
        "--set",
        "capture.buffer_size_mb=16",
        "--set",
        "capture.workers=1",
        env=manager.environment(10),
    )
    until("a start or an end", lambda: "capturing on" in running.log() or not running.alive(), 10)
    if not running.alive():
        raise Skip("an interface that is not there yet is refused at the start")
    probe.ip("link", "property", "add", "dev", "near0", "altname", "late0")
    time.sleep(2)
    harness.transmit("far0", harness.frames(10))
    time.sleep(0.3)
    require(running.stop(10).status == 0, "status")
    received = t.exact()["packets_received"]
    require(received == 10, f"{received} packets received of 10")


ODD = ("v\udcff0", "v\x1b[31mred", "v\udcc3(", "v\"'&<", "v\u00e9\u4e2d", "v\x7f\x01")


@test("Names of any octets: counters are JSON, the page is text, and no terminal obeys them", limit=90)
def interface_odd_names(t):
    t.loopback()
    for name in ODD:
        t.link(name, "far0")
        listed = t.run("-list-interfaces")
        harmless(listed.out, f"-list-interfaces, {name!r}")
        require(listed.out.count(b"\n") >= 2, "-list-interfaces: nothing is listed")
        running = t.live("--output", "none", "--set", "metrics.listen=127.0.0.1:9108", interface=name)
        answer = page(9108)
        try:
            answer.decode()
        except UnicodeDecodeError:
            require(False, f"{name!r}: the page is no UTF-8")
        require(b"\x1b" not in answer, f"{name!r}: the page has control characters")
        require(running.stop(10).status == 0, f"{name!r}: status")
        harmless(running.done.err.encode(errors="surrogateescape"), f"the log, {name!r}")
        with open(t.path("counters.json"), "rb") as file:
            data = file.read()
        try:
            counters = json.loads(data.decode())
        except ValueError as error:
            require(False, f"{name!r}: the counters are no JSON: {error}")
        require(harness.identity(counters) == 0, f"{name!r}: the identity")
        missing = t.run("-interface", name + "x", "--output", "none")
        harmless(missing.err.encode(errors="surrogateescape"), f"the message about a wrong name, {name!r}")
        probe.ip("link", "del", "far0")


def harmless(octets, what):
    bad = [octet for octet in octets if (octet < 32 and octet not in (9, 10)) or octet == 127]
    require(not bad, f"{what}: control characters {bytes(bad[:4])!r} come out raw")


def tun(name, kind):
    """An interface of any link type: TUNSETIFF, TUNSETLINK of linux/if_tun.h.  It lives as long as the file is open."""
    try:
        file = open("/dev/net/tun", "r+b", buffering=0)
        fcntl.ioctl(file, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))
        fcntl.ioctl(file, 0x400454CD, kind)
    except OSError as error:
        raise Skip(f"no tun interface: {error}") from None
    return file


@test("An interface that comes back as a type that is not decoded is told in the log", limit=60)
def interface_other_type(t):
    t.link()
    running = t.live("--output", "none", "--filter", "udp")
    probe.ip("link", "del", "near0")
    until("the link is missed", lambda: "waiting for it" in running.log(), 10)
    before = len(running.log_lines())
    file = tun("near0", 805)  # 802.11 with a Prism header
    probe.ip("link", "set", "near0", "up")
    time.sleep(3)
    said = [line for line in running.log_lines()[before:]]
    captured = probe.packet_sockets("near0") > 0
    require(
        captured or any("near0" in line for line in said), "not a word about an interface that cannot be captured on"
    )
    require(len(said) < 6, f"{len(said)} lines in 3 s")
    file.close()
    time.sleep(0.5)
    t.link()
    until("the first type again", lambda: probe.packet_sockets("near0") > 0, 10)
    time.sleep(0.5)
    harness.transmit("far0", harness.frames(10))
    time.sleep(0.3)
    require(running.stop(10).status == 0, "status")
    require(t.exact()["packets_received"] >= 10, "nothing was received afterwards")
