# SPDX-License-Identifier: Apache-2.0
"""The README's two commands, each alone on a Debian 12 that has nothing but its base: as root without sudo, and as an
ordinary user who has sudo.

    python3 -B test/package/fresh_root_test.py [--faster FOLDER] [--only RUN] [--tree TREE]

Needs root, systemd-container, debootstrap, git, and Debian's mirror, which is the one that apt uses here.  TREE is made
if it is missing (default: fresh-tree in the cache folder of the checks) and copied for each run.  What is tried is a
clone of the last commit.  At the end stands a table: how long each took, how many tests ran, which did not and why.
--faster keeps packages and compiled objects in FOLDER from run to run: the times then say nothing.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from package_test import check, run

SOURCE = pathlib.Path(__file__).resolve().parents[2]
USER, ID = "visitor", 1000
HOMES = {"root": "root", USER: f"home/{USER}"}
# As they stand in the README, by the last part of their names.
BLOCK = (SOURCE / "README.md").read_text(encoding="utf-8").partition("## Two commands")[2].split("```")[1]
COMMANDS = {line.split()[0].rsplit("/", 1)[-1]: line for line in BLOCK.splitlines()[1:]}
RUNS = [f"{command}-{user}" for command in COMMANDS for user in (USER, "root")]
# What the user of a fresh Debian may not do, whatever is installed.
BEYOND_A_USER = {
    "no program can be loaded here",
    "nobody else exists in this user namespace",
    "only root can act for another",
}
CCACHE = ("cache_dir = /var/cache/ccache", "umask = 000", "hash_dir = false")
LIMIT = 3600  # seconds for a run
TAIL = 400  # lines shown of a run that failed


def mirror():
    """Where apt finds the base of Debian 12 here; nothing where it does not, and debootstrap chooses."""
    wanted = ("Created-By: Packages", "Origin: Debian", "Codename: bookworm")
    return run("apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted).split()[:1]


def make_tree(tree):
    if (tree / "etc/debian_version").exists():
        return
    print(f"making {tree}", flush=True)
    part = tree.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    run("debootstrap", "--variant=minbase", "bookworm", str(part), *mirror())
    part.rename(tree)


class Root:
    """A copy of the tree in which commands run as on a machine of its own, but on this one's network."""

    def __init__(self, tree, folder, faster):
        self.path = pathlib.Path(folder) / "root"
        run("cp", "-a", "--reflink=auto", str(tree), str(self.path))
        # As after an installation: sudo looks the machine's own name up.
        (self.path / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 fresh\n")
        self.binds = []
        if faster is not None:
            for kept, place in (("archives", "/var/cache/apt/archives"), ("ccache", "/var/cache/ccache")):
                (faster / kept).mkdir(mode=0o777, parents=True, exist_ok=True)
                (faster / kept).chmod(0o777)
                self.binds.append(f"--bind={faster / kept}:{place}")

    def __call__(self, user, command, log=subprocess.DEVNULL):
        """As after a login, without a terminal."""
        # The kernel's own privileges would be those of a container otherwise; /dev/net/tun is anybody's in Debian.
        options = "-q --register=no --keep-unit --as-pid2 --pipe --resolv-conf=copy-host --setenv=LANG=C.UTF-8"
        options += f" --capability=all --system-call-filter=bpf --machine=chompy-fresh-{os.getpid()} --hostname=fresh"
        device = "mkdir -p /dev/net; cd /dev/net; [ -c tun ] || mknod tun c 10 200; chmod 666 tun"
        script = f'{device}; exec timeout {LIMIT} runuser -l -w LANG {user} -c "$0"'
        return subprocess.run(
            ["systemd-nspawn", *options.split(), *self.binds, "-D", self.path, "sh", "-ec", script, command],
            env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode

    def prepare(self, user, faster):
        """The clone in the home of who tries it; sudo for him if he is not root."""
        commands = ["apt-get update -q"] if user != "root" or faster else []
        if user != "root":
            commands += [
                "apt-get install -q -y --no-install-recommends sudo",
                f"useradd --create-home --uid {ID} --shell /bin/bash {user}",
                f"echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{user}",
            ]
        if faster:
            commands += [
                # sudo lets no variable through, but finds this compiler first.
                "apt-get install -q -y --no-install-recommends ccache",
                *(f"echo '{line}' >> /etc/ccache.conf" for line in (*CCACHE, f"base_dir = /{HOMES[user]}")),
                "for name in c++ g++ cc gcc; do ln -s /usr/bin/ccache /usr/local/bin/$name; done",
            ]
        with tempfile.TemporaryFile("w+") as log:
            status = self("root", "set -ex; export DEBIAN_FRONTEND=noninteractive; " + "; ".join(commands), log)
            log.seek(0)
            check(status == 0, f"the root could not be prepared:\n{log.read()}")
        clone = self.path / HOMES[user] / "chompy-probe"
        run("git", "clone", "-q", "--no-hardlinks", str(SOURCE), str(clone))
        if user != "root":
            run("chown", "-R", f"{ID}:{ID}", str(clone))
        return clone


def of_others(clone, user):
    """Files that belong to somebody else than who works there."""
    owner = 0 if user == "root" else ID
    found = [path for path in clone.rglob("*") if path.lstat().st_uid != owner]
    return [str(path.relative_to(clone)) for path in found]


def judge_check(text, user):
    counts = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.MULTILINE)
    passed, failed, skipped = map(int, counts.groups())
    cases = re.search(r"^(\d+) cases passed", text, re.MULTILINE).group(1)
    left_out = re.findall(r"^((?:partly )?skipped \S+): (.+)$", text, re.MULTILINE)
    said = "; ".join(": ".join(one) for one in left_out)
    allowed = set() if user == "root" else BEYOND_A_USER
    reasons = {reason for _, reasons in left_out for reason in reasons.split("; ")}
    check(failed == 0 and passed > 0, f"{failed} tests failed")
    check(skipped == 0 and reasons <= allowed, said)
    return f"{passed} tests, {cases} cases", said or "nothing"


def judge_quickstart(text, _):
    # Two families of addresses, both ways.
    flows = [line for line in text.splitlines() if "192.0.2.2" in line or "2001:db8::2" in line]
    check(len(flows) >= 4, f"{len(flows)} flows of the demonstration were shown")
    check("That was the probe on a cable of its own." in text, "the last words are missing")
    return f"{len(flows)} flows shown", "-"


def try_one(name, tree, faster):
    command, user = name.split("-")
    judge = {"check": judge_check, "quickstart": judge_quickstart}[command]
    # Not in memory: what is installed and built there takes two gigabytes.
    with tempfile.TemporaryDirectory(prefix="chompy-fresh-", dir=tree.parent) as folder:
        root = Root(tree, folder, faster)
        clone = root.prepare(user, faster)
        with open(os.path.join(folder, "log"), "w+", encoding="utf-8", errors="replace") as log:
            began = time.monotonic()
            status = root(user, f"cd chompy-probe && {COMMANDS[command]}", log)
            took = time.monotonic() - began
            log.seek(0)
            text = log.read()
        try:
            check(status == 0, f"exit status {status}")
            ran, left_out = judge(text, user)
            check(not of_others(clone, user), f"files of others: {of_others(clone, user)[:5]}")
        except Exception:
            print("\n".join(text.splitlines()[-TAIL:]), flush=True)
            raise
    return f"{took / 60:.1f} min", ran, left_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "chompy-probe-ci"
    parser.add_argument("--tree", type=pathlib.Path, default=cache / "fresh-tree", help="the bare Debian 12")
    parser.add_argument("--faster", type=pathlib.Path, help="folder that keeps packages and objects")
    parser.add_argument("--only", action="append", choices=RUNS, help="this run; may be repeated")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("making a Debian needs root")
    make_tree(arguments.tree.absolute())
    rows, failed = [("run", "took", "ran", "skipped")], []
    for name in arguments.only or RUNS:
        print(f"trying {name}", flush=True)
        try:
            rows.append((name, *try_one(name, arguments.tree.absolute(), arguments.faster)))
        except Exception as error:  # pylint: disable=broad-exception-caught
            rows.append((name, "", "FAILED", str(error).splitlines()[0]))
            failed.append(name)
    print("".join("| " + " | ".join(row) + " |\n" for row in rows), end="")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
