#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What strangers, full disks, dead collectors and odd settings do to the program: one line a test.

  run.py PROGRAM [NAME...] [--full] [--jobs N] [--tools FOLDER]
  run.py --list

A line has the test's name, its verdict (ok, MISS, skip), seconds, and with a miss the first difference.  Exits
non-zero on a miss.  Needs root, or user namespaces for what does not need more.
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import harness
from harness import TESTS, Miss, Skip

MODULES = ("strangers", "settings", "endings", "collectors", "interfaces", "people")


def load():
    for name in MODULES:
        __import__(name)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?")
    parser.add_argument("names", nargs="*", metavar="NAME", help="tests, or beginnings of their names; default: all")
    parser.add_argument("--full", action="store_true", help="more packets and more inputs")
    parser.add_argument("--jobs", type=int, default=3, help="tests that only wait may run beside each other")
    parser.add_argument("--tools", help="the build's folder `test`; default: beside the program")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", help="write the verdicts to this file, too")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_intermixed_args()


def inside(options):
    """In the namespaces: runs one test, and writes what came out as a line of JSON."""
    one = TESTS[options.inside]
    folder = tempfile.mkdtemp(prefix="chompy-faults-")
    # Where the program would take a path of the build's for one of its own.
    os.chmod(folder, 0o755)
    t = harness.Context(os.path.abspath(options.program), os.path.abspath(options.tools), folder, options.full)
    verdict, text = "ok", ""
    try:
        one.function(t)
    except Miss as miss:
        verdict, text = "MISS", str(miss)
    except Skip as skip:
        verdict, text = "skip", str(skip)
    except Exception:  # the test itself does not know what happened
        verdict, text = "MISS", "the test broke: " + traceback.format_exc(limit=-2).replace("\n", " | ")
    t.close()
    shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"verdict": verdict, "text": text, "notes": t.notes}), flush=True)
    os._exit(0)  # threads that serve somebody end here


def namespaces():
    options = ["--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
    return options if os.geteuid() == 0 else ["--user", "--map-root-user", *options]


def run_one(one, options):
    command = ["unshare", *namespaces(), sys.executable, "-B", os.path.abspath(__file__), options.program]
    command += ["--inside", one.name, "--tools", options.tools] + (["--full"] if options.full else [])
    began, limit = time.monotonic(), one.limit * (5 if options.full else 1)
    # Whoever is killed cannot clear up.
    folder = tempfile.mkdtemp(prefix="chompy-faults-")
    os.chmod(folder, 0o755)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": folder},
    )
    try:
        out, err = process.communicate(timeout=limit)
        found = json.loads(out.splitlines()[-1])
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = {"verdict": "MISS", "text": f"the test did not end within {limit:g} s", "notes": []}
    except (IndexError, json.JSONDecodeError):
        found = {"verdict": "MISS", "text": "the test broke: " + err.decode(errors="replace")[-300:], "notes": []}
    shutil.rmtree(folder, ignore_errors=True)
    found["name"], found["seconds"] = one.name, time.monotonic() - began
    return found


def show(found):
    text = " ".join(found["text"].split())
    print(f"{found['name']:<38} {found['verdict']:<4} {found['seconds']:6.1f} s  {text}".rstrip(), flush=True)
    for note in found["notes"]:
        print("    " + note, flush=True)


def chosen(names):
    if not names:
        return list(TESTS.values())
    wanted = [one for one in TESTS.values() if any(one.name.startswith(name) for name in names)]
    for name in names:
        if not any(one.name.startswith(name) for one in wanted):
            sys.exit(f"run.py: no test is named {name}; --list shows them")
    return wanted


def main():
    options = arguments()
    load()
    if options.list:
        for one in TESTS.values():
            print(f"{one.name:<38} {one.promise}")
        return 0
    if not options.program:
        sys.exit("usage: run.py PROGRAM [NAME...] [--full] [--list]")
    options.program = os.path.abspath(options.program)
    options.tools = options.tools or os.path.join(os.path.dirname(options.program), "test")
    if options.inside:
        inside(options)
    began, results = time.monotonic(), []
    wanted = chosen(options.names)
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        beside = [pool.submit(run_one, one, options) for one in wanted if not one.alone]
        for future in concurrent.futures.as_completed(beside):
            results.append(future.result())
            show(results[-1])
    for one in wanted:
        if one.alone:
            results.append(run_one(one, options))
            show(results[-1])
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(results, file)
    missed = [found["name"] for found in results if found["verdict"] == "MISS"]
    skipped = sum(found["verdict"] == "skip" for found in results)
    print(f"{len(results)} tests, {len(missed)} missed, {skipped} skipped, {time.monotonic() - began:.0f} s")
    # Where everything must run, what cannot be tried is a miss.
    return 1 if missed or (skipped and os.environ.get("CI")) else 0


if __name__ == "__main__":
    sys.exit(main())
