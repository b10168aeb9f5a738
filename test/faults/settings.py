# SPDX-License-Identifier: Apache-2.0
"""Settings that no parser, kernel or clock can stand: refused in one line, or the old ones stay; nothing hangs."""

import os
import random
import re
import socket
import time

import harness
import probe
import traffic
from harness import CONFIGURATION, Manager, Miss, require, rss_mib, test, until

# ---- texts


def bombs():
    """Aliases of aliases: ten octets a level, ten times as much in the end."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(lines) + "\n"


def texts():
    """Name and text of what is no file of settings, whatever a parser makes of it."""
    for i, text in enumerate(
        (
            ",",
            "# a comment\n,",
            "---\n,",
            ", a: 1",
            "\n\n  ,",
            "export:\n  ,",
            "--- ,",
            "...\n,",
            "%YAML 1.2\n---\n,",
            "# c\n# c\n,\n",
            ",,,,",
            ",\n,\n",
            "\xef\xbb\xbf,",
            "- ,\n,",
            "\t,",
            "export: ,",
            "{,}",
            "[,",
            "a: [,]",
            ", # c",
            ",\x00",
            "export:\n  domain_id: 1\n,",
        )
    ):
        yield f"comma-{i}", text
    yield "alias-bomb", bombs()
    yield "alias-bomb-in-a-setting", bombs() + "export:\n  fields: *a11\n"
    yield "alias-of-itself", "&a [*a]"
    yield "alias-of-nothing", "export: *nothing"
    yield "merge-of-itself", "export: &e\n  <<: *e\n"
    for name, opening in (
        ("brackets", "["),
        ("braces", "{"),
        ("maps", "{a: "),
        ("lists", "- "),
        ("questions", "? "),
        ("questions-lines", "?\n"),
        ("colons", ":"),
        ("colons-apart", ": "),
        ("tags", "!a "),
        ("anchors", "&a "),
        ("ampersands", "&"),
        ("stars", "*a "),
        ("bars", "|"),
        ("quotes", '"'),
        ("apostrophes", "'"),
        ("exclamations", "!"),
        ("percents", "%"),
        ("commas", ","),
        ("closings", "]"),
        ("dashes", "-"),
        ("commas-in-brackets", "[,"),
        ("pairs", "[a: "),
    ):
        yield f"deep-{name}", opening * 50_000
    yield "deep-indent", "".join(" " * i + "a:\n" for i in range(3000))
    yield "many-documents", "---\n" * 200_000
    yield "many-ends", "...\n" * 200_000
    yield "many-keys", "".join(f"a{i}: 1\n" for i in range(100_000))
    yield "long-key", "a" * (20 << 20) + ": 1"
    yield "long-scalar", "export:\n  collector_ip: " + "a" * (20 << 20)
    yield "long-quoted", 'export:\n  collector_ip: "' + "a" * (20 << 20)
    yield "long-list", "export:\n  collectors: [" + "a," * 2_000_000 + "]"
    yield "huge-of-keys", "a: 1\n" * (8 << 20)
    yield "odd-questions", "? : ? : ? :\n? ?\n: ?"
    yield "odd-question", "?"
    yield "odd-question-comma", "? ,"
    yield "odd-empty-keys", ": a\n: b\n"
    yield "nul-octets", "\0" * 1000
    yield "nul-in-a-key", "export:\n  domain\0_id: 1\n"
    yield "nul-in-a-value", "export:\n  collector_ip: 127.0.0.1\0x\n"
    yield "not-utf-8", b"export:\n  collector_ip: \xff\xfe\xfd\n"
    yield "utf-16", "export:\n  domain_id: x\n".encode("utf-16")
    yield "utf-32", "export:\n  domain_id: x\n".encode("utf-32")
    yield "bom-twice", "\ufeff\ufeffexport: 5"
    yield "controls", "".join(map(chr, range(1, 32)))
    yield "directive", "%TAG ! tag:x,2000:\n--- !foo [\n"
    yield "directive-of-nothing", "%\n---\n,"
    yield "block-without-text", "export: |9\n"
    yield "block-without-end", "export: >" + "+" * 1000
    yield "complex-key", "? [a, b]\n: {c: d}\n"
    yield "carriage-returns", "export:\r  domain_id: x\r"


def soup(seed, length):
    """Marks of the language and some words in an order that nobody would write."""
    chance = random.Random(seed)
    marks = [
        ",",
        "?",
        ":",
        "-",
        "[",
        "]",
        "{",
        "}",
        "#",
        "&a",
        "*a",
        "!",
        "!!x",
        "|",
        ">",
        "'",
        '"',
        "%",
        "@",
        "`",
        "---",
        "...",
        "\n",
        "\n  ",
        " ",
        ", ",
        ": ",
        "- ",
        "? ",
        "a",
        "export",
        "domain_id",
        "1",
        "~",
        "<<",
        "\t",
        "\\",
        "\0",
    ]
    return "".join(chance.choice(marks) for _ in range(length))


def check(t, name, text, statuses=(CONFIGURATION,), seconds=8):
    path = t.path("checked.yaml", text)
    running = t.start("--config", path, "--check-config", preexec=harness.limited(memory_mib=8192))
    try:
        end = time.monotonic() + seconds
        while running.alive() and time.monotonic() < end:
            require(rss_mib(running.pid) < 2000, f"{rss_mib(running.pid):.0f} MiB")
            time.sleep(0.005)
        done = running.within(0, "--check-config")
        require(done.status in statuses, f"status {done.status}: {done.said()}")
        if done.status:
            # A line for each mistake, and one for how many more there are.
            require(1 <= len(done.lines()) <= 21, f"{len(done.lines())} lines: {done.said()}")
            require(max(map(len, done.lines())) < 2000, f"a line of {max(map(len, done.lines()))} octets")
            for line in done.lines()[:20]:
                require("checked.yaml" in line, f"a line does not name the file: {line[-200:]}")
    except Miss as miss:
        return f"{name}: {miss}"
    finally:
        running.kill()
        os.unlink(path)
    return None


@test(
    "A text that is no settings, whatever a parser makes of it, is refused by a line a mistake, in time and memory",
    limit=200,
)
def settings_texts(t):
    # Directives, anchors and ends of documents without anything between them are settings that say nothing.
    empty = ("deep-ampersands", "deep-percents", "many-ends")
    bad = [check(t, name, text, (0, CONFIGURATION) if name in empty else (CONFIGURATION,)) for name, text in texts()]
    count, bad = len(bad), list(filter(None, bad))
    require(not bad, f"{len(bad)} of {count} texts: " + "; ".join(bad[:3]))


@test("Marks of YAML in any order are judged at once", limit=240)
def settings_soup(t):
    count = 2000 if t.full else 250
    found = [check(t, f"seed {i}", soup(i, 1 + i % 40), (0, CONFIGURATION), 4) for i in range(count)]
    bad = list(filter(None, found))
    require(not bad, f"{len(bad)} of {count}: " + "; ".join(bad[:3]))


@test("What is no regular file is no settings: FIFO, device, folder, socket", limit=60)
def settings_no_file(t):
    fifo = t.path("fifo.yaml")
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(t.path("socket.yaml"))
    for path in (fifo, "/dev/zero", "/dev/full", t.folder, t.path("socket.yaml"), "/proc/self/mem"):
        running = t.start("--config", path, "--check-config", preexec=harness.limited(memory_mib=8192))
        try:
            end = time.monotonic() + 8
            while running.alive() and time.monotonic() < end:
                require(rss_mib(running.pid) < 1000, f"{rss_mib(running.pid):.0f} MiB")
                time.sleep(0.005)
            done = running.within(0, "--check-config")
            require(done.status == CONFIGURATION, f"status {done.status}: {done.said()}")
            require(len(done.lines()) == 1 and path in done.err, f"not one line that names it: {done.said()}")
        except Miss as miss:
            raise Miss(f"{path}: {miss}") from None


GOOD = "export:\n  inactive_timeout: 7s\n"


def reload_with(t, running, name, put, manager=None):
    """After a reload with settings that cannot be taken, the program answers, and says one thing."""
    before, since = len(running.log_lines()), time.monotonic()
    put()
    running.reload()
    try:
        end = time.monotonic() + 12
        while time.monotonic() < end and len(running.log_lines()) == before:
            require(running.alive(), f"ended by itself: {running.done and running.done.said()}")
            require(rss_mib(running.pid) < 700, f"RSS {rss_mib(running.pid):.0f} MiB")
            time.sleep(0.01)
        running.answers(5)
        said = running.log_lines()[before:]
        require(said, "not a word about the reload")
        require(not any("now in force" in line for line in said), f"taken: {said[0][-200:]}")
        if manager:
            pause = manager.longest_pause(since)
            require(pause < 3.9, f"the watchdog was not fed for {pause:.1f} s")
    except Miss as miss:
        raise Miss(f"{name}: {miss}") from None


@test("A reload with such a text changes nothing: signals, watchdog and memory stay as they were", limit=180)
def settings_reload(t):
    t.link()
    config, manager = t.path("c.yaml", GOOD), Manager(t)
    running = t.live("-config", config, "--output", "none", env=manager.environment(4))
    before = None
    some = {
        "comma-0",
        "comma-1",
        "comma-9",
        "alias-bomb-in-a-setting",
        "deep-brackets",
        "deep-questions",
        "deep-maps",
        "long-key",
        "many-documents",
        "nul-octets",
        "utf-16",
        "deep-commas",
        "odd-question-comma",
        "huge-of-keys",
    }
    for name, text in texts():
        if t.full or name in some:
            reload_with(t, running, name, lambda text=text: t.path("c.yaml", text), manager)
            before = before or rss_mib(running.pid)
    os.unlink(config)
    os.mkfifo(config)
    reload_with(t, running, "a FIFO", lambda: None, manager)
    os.unlink(config)
    os.symlink("/dev/zero", config)
    reload_with(t, running, "/dev/zero", lambda: None, manager)
    os.unlink(config)
    grown = rss_mib(running.pid) - before
    require(grown < 64, f"RSS grew by {grown:.0f} MiB")
    t.path("c.yaml", GOOD.replace("7s", "8s"))
    running.reload()
    until("a good file is taken afterwards", lambda: "now in force" in running.log(), 10)
    done = running.stop(10)
    require(done.status == 0, f"status {done.status}: {done.said()}")


# ---- timeouts

HOUR = 3600 * 10**9


def spaced(t, hours):
    """Datagrams of one flow at these hours."""
    c = traffic.Capture()
    for hour in hours:
        c.udp(traffic.START + round(hour * HOUR), traffic.Host(1), traffic.Host(2), 4, 1, 2, 10)
    return t.path(f"spaced{max(hours):g}.pcap", traffic.pcap(c.frames))


def closing(t, after_hours):
    """Connections that close and a little of everything, and a datagram that comes so much later."""
    c = traffic.standard()
    flows = len(c.flows)
    c.udp(traffic.START + round(after_hours * HOUR), traffic.Host(1), traffic.Host(2), 4, 1, 2, 10)
    return t.path(f"closing{after_hours:g}.pcap", traffic.pcap(c.frames)), flows + 1


@test("Every timeout that the manual allows ends a flow when it should, and the program too", limit=150)
def timeouts_long(t):
    wrong, tried = [], 0
    for hours in (1, 596, 597, 600, 624, 626, 700, 1000, 1193, 1194, 1250, 2000, 2500, 2777):
        for linger in ("5s", f"{hours}h", "1000h"):
            for name, (capture, wanted), active in (
                ("idle for less", (spaced(t, (0, hours * 0.99)), 1), 2777),
                ("idle for longer", (spaced(t, (0, hours * 1.01)), 2), 2777),
                ("closed connections", closing(t, 0.9), 1000),
                ("closed connections, and long after", closing(t, 3000), 2777),
            ):
                tried += 1
                running = t.start(
                    "--read",
                    capture,
                    "--output",
                    "json",
                    "--set",
                    f"export.inactive_timeout={hours}h",
                    "--set",
                    f"export.active_timeout={active}h",
                    "--set",
                    f"tcp.close_linger={linger}",
                    "--set",
                    "flow.max_flows=1000",
                )
                done = running.poll(3)
                running.kill()
                records = done and done.out.count(b"\n")
                if done is None or done.status or records != wanted:
                    wrong.append(
                        f"inactive_timeout={hours}h close_linger={linger}, {name}: "
                        + ("never ends" if done is None else f"status {done.status}, {records} records of {wanted}")
                    )
            if len(wrong) > 8:
                break
    require(not wrong, f"{len(wrong)} of {tried} runs: " + "; ".join(wrong[:3]))


@test("A timeout beyond all limits is refused with its limit, or works; nothing wraps", limit=60)
def timeouts_beyond(t):
    capture = spaced(t, (0, 0.001))
    for name in (
        "export.active_timeout",
        "export.inactive_timeout",
        "tcp.close_linger",
        "tcp.syn_ttl",
        "export.template_interval",
        "log.statistics_interval",
        "tcp.dup_id_window",
        "tcp.timeout_silence",
    ):
        for value in (
            "2778h",
            "100000h",
            "1000000h",
            "2562047h",
            "2562048h",
            "99999999999999h",
            "9223372036s",
            "9223372037s",
            "18446744073709551616ns",
            "99999999999999999999999999s",
        ):
            running = t.start("--read", capture, "--output", "json", "--set", f"{name}={value}")
            done = running.poll(5)
            running.kill()
            require(done is not None, f"{name}={value}: never ends")
            if done.status == 0:
                require(done.out.count(b"\n") == 1, f"{name}={value}: taken, and {done.out.count(10)} records of 1")
            else:
                require(
                    done.status == CONFIGURATION and len(done.lines()) == 1 and name in done.err,
                    f"{name}={value}: status {done.status}: {done.said()}",
                )


# ---- filters


def hosts(count):
    return " or ".join(f"host 10.{i // 250}.{i % 250}.1" for i in range(count))


@test(
    "A long filter is compiled once for all workers and interfaces, and the start can be ended meanwhile",
    limit=150,
    alone=True,
)
def filter_compiled_once(t):
    t.link()
    t.link("near1", "far1")
    expression = hosts(140)

    def cpu(interfaces, workers):
        config = t.path("f.yaml", f"capture:\n  bpf_filter: '{expression}'\n")
        running = t.start(
            "-interface",
            interfaces,
            "-config",
            config,
            "--output",
            "none",
            "--set",
            f"capture.workers={workers}",
            "--set",
            "capture.buffer_size_mb=16",
        ).ready("capturing on", 60)
        return running.stop(20).cpu

    # What runs beside it makes a run dearer, never cheaper.
    one = min(cpu("near0", 1) for _ in range(3))
    many = min(cpu("near0,near1", 4) for _ in range(3))
    t.note(f"1 worker, 1 interface {one:.1f} s; 4 workers, 2 interfaces {many:.1f} s of processor")
    require(many < 1.8 * one + 0.2, f"4 workers on 2 interfaces: {many:.1f} s of processor, 1 on 1: {one:.1f} s")
    config = t.path("f.yaml", f"capture:\n  bpf_filter: '{hosts(1500)}'\n")
    running = t.start("-interface", "near0", "-config", config, "--output", "none")
    time.sleep(1)
    require(running.alive(), f"ended: {running.done and running.done.said()}")
    running.stop(4)


@test("While a reload compiles a long filter the watchdog is fed and signals are heard", limit=120)
def filter_reload(t):
    near, far = t.link()
    config, manager = t.path("c.yaml", GOOD), Manager(t)
    running = t.live("-config", config, "--output", "none", env=manager.environment(4))
    since = time.monotonic()
    t.path("c.yaml", GOOD + f"capture:\n  bpf_filter: '{hosts(230)}'\n")
    running.reload()
    until("the reload", lambda: "in force" in running.log() or "bpf_filter" in running.log(), 60)
    pause = manager.longest_pause(since)
    t.note(f"230 hosts: {time.monotonic() - since:.1f} s, longest pause of the watchdog {pause:.1f} s")
    require(pause < 3.9, f"the watchdog was not fed for {pause:.1f} s")
    # One that takes minutes: the old one stays, or it is worked on; main is there.
    since = time.monotonic()
    t.path("c.yaml", GOOD + f"capture:\n  bpf_filter: '{hosts(2500)}'\n")
    running.reload()
    running.answers(5)
    time.sleep(5)
    running.answers(5)
    pause = manager.longest_pause(since)
    require(pause < 3.9, f"2,500 hosts: the watchdog was not fed for {pause:.1f} s")
    require(running.stop(10).status == 0, "status")


REFUSED_BY_KERNEL = ("ip protochain 17", "ip6 protochain 17", "ip protochain 6 and tcp")


def long_for_the_kernel():
    """More instructions than the kernel takes (4,096), and few enough for libpcap to be quick."""
    return " or ".join(f"ether[{i % 60}] = {i % 251}" for i in range(2300))


@test("A filter that the kernel refuses is refused by name, with status 78, also by --check-config", limit=150)
def filter_kernel_refuses(t):
    near, far = t.link()
    for expression in (*REFUSED_BY_KERNEL, long_for_the_kernel()):
        config = t.path("f.yaml", f"capture:\n  bpf_filter: '{expression}'\n")
        for arguments in (("--check-config",), ()):
            running = t.start(
                "-interface",
                near,
                "-config",
                config,
                "--output",
                "none",
                *arguments,
                "--set",
                "capture.buffer_size_mb=16",
            )
            done = running.poll(40)
            running.kill()
            name = f"{expression[:24]} {' '.join(arguments)}"
            require(done is not None, f"{name}: it starts")
            require(done.status == CONFIGURATION, f"{name}: status {done.status}: {done.said()[:200]}")
            require("filter" in done.err and len(done.lines()) == 1, f"{name}: {done.said()[:200]}")


@test(
    "A reload to a filter that the kernel refuses keeps the old one, says so once, and still finds its interface",
    limit=90,
)
def filter_kernel_refuses_reload(t):
    near, far = t.link()
    for expression in REFUSED_BY_KERNEL[: 1 + t.full]:
        config = t.path("c.yaml", "capture:\n  bpf_filter: udp\n")
        running = t.live("-config", config, "--output", "none")
        before = len(running.log_lines())
        t.path("c.yaml", f"capture:\n  bpf_filter: '{expression}'\n")
        running.reload()
        until("a word about the reload", lambda: len(running.log_lines()) > before, 10)
        running.answers()
        time.sleep(0.5)
        said = running.log_lines()[before:]
        require(not any("now in force" in line for line in said), f"'now in force' is said: {said[0][-160:]}")
        harness.transmit(far, harness.frames(10) + harness.frames(10, protocol="tcp"))
        probe.ip("link", "del", near)
        until("the link is missed", lambda: "waiting for it" in running.log(), 10)
        t.link()
        until(
            "capturing again after the interface was made anew",
            lambda: "is up, capturing" in running.log() and probe.packet_sockets(near),
            10,
        )
        harness.transmit(far, harness.frames(10, 100) + harness.frames(10, 100, protocol="tcp"))
        time.sleep(0.3)
        require(running.stop(10).status == 0, "status")
        received = t.exact()["packets_received"]
        require(received == 20, f"{received} packets passed the old filter, not 20")


# ---- messages


@test("A bad setting is told with what would be right; of several mistakes in a list, each", limit=30)
def settings_messages(t):
    for text, words in (
        (
            "export:\n  fields: [standard, nonsense, flowStartMillis, rubbish]\n",
            ("nonsense", "flowStartMillis", "rubbish"),
        ),
        ("export:\n  fields: nonsense,rubbish\n", ("nonsense", "rubbish")),
        ('capture:\n  interface: "eth0\n', ("2:",)),
        ("capture:\n  interface: 'eth0\n", ("2:",)),
        ('export:\n  domain_id: 1\ncapture:\n  interface: "eth0', ("4:",)),
        ("metrics:\n  listen: 9090\n", ("2:", "metrics.listen", "127.0.0.1:9090")),
        ('metrics:\n  listen: ":9090"\n', ("2:", "metrics.listen", ":9090")),
        ("export:\n  collectors: [{ip: 192.0.2.1}]\n", ("2:", "export.collectors", "udp://")),
        ("export:\n  collectors:\n    - ip: 192.0.2.1\n      port: 2055\n", ("export.collectors", "udp://")),
        ("export:\n  collectors: {ip: 192.0.2.1}\n", ("export.collectors", "udp://")),
    ):
        done = t.run("--config", t.path("bad.yaml", text), "--check-config")
        require(done.status == CONFIGURATION, f"{text!r}: status {done.status}: {done.said()}")
        require(len(done.lines()) <= len(words), f"{text!r}: {len(done.lines())} lines: {done.said()}")
        for word in words:
            require(word in done.err, f"{text!r}: {word!r} is not in {done.said()!r}")
    for value in (":9090", "9090"):
        done = t.run("--set", f"metrics.listen={value}", "--check-config")
        require(
            done.status == CONFIGURATION and re.search(r"[0-9.\]]+:9090", done.err.replace(f"={value}", "")),
            f"metrics.listen={value}: no example of what would be right: {done.status} {done.said()}",
        )


# ---- which file


@test("Settings from the current folder are named, and refused when they are somebody else's", limit=30)
def settings_of_another(t):
    capture, _ = t.capture()
    folder = t.path("here")
    os.mkdir(folder)
    config = os.path.join(folder, "config.yaml")

    def put(owner, mode=0o644):
        with open(config, "w", encoding="ascii") as file:
            file.write("export:\n  collectors: ['file:///" + t.path("stolen")[1:] + "']\n")
        os.chown(config, owner, owner)
        os.chmod(config, mode)

    put(0)
    done = t.run("--read", capture, "--output", "none", cwd=folder)
    require(
        done.status == 0 and "config.yaml" in done.err, f"the file in force is not named: {done.status} {done.said()}"
    )
    os.unlink(t.path("stolen"))
    for owner, mode, what in ((54321, 0o644, "somebody else's"), (0, 0o666, "a file that anybody can write")):
        put(owner, mode)
        done = t.run("--read", capture, "--output", "none", cwd=folder)
        if what.startswith("a file") and done.status == 0:
            t.note("a file of root's that anybody can write is read")
            continue
        require(done.status == CONFIGURATION, f"{what}: status {done.status}: {done.said()}")
        require(not os.path.exists(t.path("stolen")), f"{what}: it was followed")
        require("config.yaml" in done.err and len(done.lines()) == 1, f"{what}: {done.said()}")
    # By name it is the caller's decision.
    put(54321)
    done = t.run("--read", capture, "--output", "none", "--config", config)
    require(done.status in (0, CONFIGURATION), f"named: status {done.status}")
    # A link of somebody else's to a file of ours is theirs, too.
    os.rename(config, t.path("ours.yaml"))
    os.chown(t.path("ours.yaml"), 0, 0)
    os.symlink(t.path("ours.yaml"), config)
    os.lchown(config, 54321, 54321)
    done = t.run("--read", capture, "--output", "none", cwd=folder)
    if done.status == 0:
        t.note("a link of somebody else's is followed")
