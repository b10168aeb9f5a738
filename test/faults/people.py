# SPDX-License-Identifier: Apache-2.0
"""What people and collectors are given: mappings, scripts, the manual."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import traffic
from harness import ROOT, Skip, ipfix, require, test


@test("The mapping for libfds says which bit makes a field of ours a reverse one", limit=20)
def libfds_reverse(t):
    with open(os.path.join(ROOT, "etc/collectors/libfds/chompy-probe.xml"), encoding="ascii") as file:
        shipped = file.read()
    printed = t.run("--print-mapping", "libfds")
    for name, text in (("etc/collectors", shipped), ("--print-mapping", printed.out.decode())):
        scopes = xml.etree.ElementTree.fromstring(text).findall(".//scope")
        ours = [scope for scope in scopes if scope.findtext("pen", "").strip() == "99999"]
        require(len(ours) == 1, f"{name}: {len(ours)} scopes of ours")
        biflow = ours[0].find("biflow")
        require(biflow is not None and biflow.get("mode") == "split", f"{name}: no split biflow")
        # The manual sets bit 14, counted from 0; libfds counts from 1.
        require((biflow.text or "").strip() == "15", f"{name}: split without its bit: {biflow.text!r}")


def tree(t, extra=()):
    """A copy of the sources that belong to the project, in a repository of its own."""
    copy = t.path("clone")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode:
        raise Skip("not in a clone")
    for name in listed.stdout.decode().split("\0"):
        source = os.path.join(ROOT, name)
        if name and os.path.isfile(source):
            os.makedirs(os.path.dirname(os.path.join(copy, name)), exist_ok=True)
            shutil.copy2(source, os.path.join(copy, name))
    author = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")
    for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "All")):
        subprocess.run(["git", "-C", copy, *words], check=True, capture_output=True)
    return copy


@test("A clone whose index is stale (cp -r) is exported whole, and what is not committed is told", limit=60)
def export_stale_index(t):
    clone = tree(t)
    stale = t.path("stale")
    subprocess.run(["cp", "-r", clone, stale], check=True)
    script = os.path.join(stale, "packaging/export-tree")
    with open(script, encoding="utf-8") as file:
        usage = file.read()
    out = t.path("exported")
    for round_number in range(2):
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        done = subprocess.run([script, out], cwd=stale, capture_output=True, text=True, timeout=40, check=False)
        if done.returncode == 0 and not os.listdir(out):
            done = subprocess.run(
                f"{shlex.quote(script)} | tar -x -C {shlex.quote(out)}",
                shell=True,
                cwd=stale,
                capture_output=True,
                text=True,
                timeout=40,
                check=False,
            )
        require(done.returncode == 0, f"status {done.returncode}: {done.stderr.strip()[-200:] or 'not a word'}")
        found = sum(len(files) for _, _, files in os.walk(out))
        listed = subprocess.run(["git", "-C", stale, "ls-files"], capture_output=True, text=True, check=True).stdout
        require(found >= 0.9 * listed.count("\n"), f"{found} files of {listed.count(chr(10))} exported")
        for path in listed.split()[:20]:
            os.utime(os.path.join(stale, path))
    del usage


def copied(t, *names):
    """Parts of the tree where everybody may read them."""
    folder = t.path("readable")
    for name in names:
        shutil.copytree(
            os.path.join(ROOT, name),
            os.path.join(folder, name),
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy2(t.program, os.path.join(folder, "chompy-probe"))
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    return folder


@test("The tests of refusals pass for who is not root", limit=120)
def tests_without_root(t):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root, to become somebody else")
    folder = copied(t, "test/system", "etc")
    home = t.path("home")
    os.mkdir(home)
    os.chown(home, 65534, 65534)
    t.loopback()
    # A Python that everybody may run.
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
            python,
            "-B",
            os.path.join(folder, "test/system/refusals_test.py"),
            os.path.join(folder, "chompy-probe"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        env={"PATH": os.environ["PATH"], "TMPDIR": home, "HOME": home},
        cwd=home,
        check=False,
    )
    failed = re.findall(r"^(?:FAIL|ERROR): (\S+)", done.stderr, re.M)
    require(done.returncode in (0, 77), f"status {done.returncode}: {', '.join(failed[:3]) or done.stderr[-300:]}")


@test("After the quickstart the live tests run: they need nothing that it does not install", limit=90)
def tests_after_quickstart(t):
    with open(os.path.join(ROOT, "packaging/install-deps"), encoding="utf-8") as file:
        if re.search(r"--try\) wanted=.*\btcpdump\b", file.read()):
            return
    # Without a tcpdump in the way.
    path = t.path("bin")
    os.mkdir(path)
    for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for name in os.listdir(folder):
            if name != "tcpdump" and not os.path.lexists(os.path.join(path, name)):
                os.symlink(os.path.join(folder, name), os.path.join(path, name))
    done = subprocess.run(
        [
            "/usr/bin/python3",
            "-B",
            os.path.join(ROOT, "test/system/live_test.py"),
            t.program,
            "Live.test_every_packet_is_counted_as_tcpdump_counts_it",
        ],
        capture_output=True,
        text=True,
        timeout=80,
        env={"PATH": path},
        check=False,
    )
    require(done.returncode == 0, f"status {done.returncode}: {(done.stdout + done.stderr).strip()[-200:]}")


def examples():
    """The shell commands of the manual's examples, without markup."""
    with open(os.path.join(ROOT, "man/chompy-probe.8"), encoding="utf-8") as file:
        text = file.read()
    block = re.search(r"in one record for each direction.*?\.Bd[^\n]*\n(.*?)\.Ed", text, re.S)
    require(block, "the manual's example of one record for each connection is gone")
    return block[1].replace("\\e\n", " ").replace("\\(aq", "'").strip()


@test("The manual's example of one record for each connection gives one, however long the connection pauses", limit=30)
def manual_one_record(t):
    c = traffic.Capture()
    for hour in (0, 0.004, 0.5, 5, 20):  # pauses from some seconds to hours
        c.udp(traffic.START + round(hour * 3600 * 10**9), traffic.Host(1), traffic.Host(2), 4, 1, 2, 10)
        c.tcp(
            traffic.START + round(hour * 3600 * 10**9),
            traffic.Host(1),
            traffic.Host(2),
            4,
            3,
            4,
            f"0 > {100 + round(hour * 1000)} 1 10 PA 500",
        )
    t.path("capture.pcap", traffic.pcap(c.sorted().frames))
    command = shlex.split(examples())
    require(command[0] == "chompy-probe", f"the example is {' '.join(command)}")
    done = t.run(*command[1:])
    require(done.status == 0, f"status {done.status}: {done.said()}")
    records = len(ipfix.read_file(t.path("flows.ipfix")).records)
    require(records == 2, f"{' '.join(command)}: {records} records of 2 connections")
