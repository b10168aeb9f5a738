#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of a list of faults and prints a line for each row: id, tests, verdict.

  faults.py PROGRAM LIST.tsv [ID...]

A row is an id, names of tests in test/faults/run.py or, as ctest:NAME, of ctest, and what it is about, tabs between.
step:NAME is a step of .ci/run that takes too long to be run here.  `-` stands where a test belongs to another list yet;
neither fails anything.  Exits non-zero on a miss.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(HERE, "..", "test", "faults", "run.py")


def rows(path, wanted):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip():
                ident, tests, text = line.rstrip("\n").split("\t")
                if not wanted or ident in wanted:
                    yield ident, [] if tests == "-" else tests.split(), text


def of_ctest(program, name):
    build = os.path.dirname(program)
    done = subprocess.run(
        ["ctest", "--test-dir", build, "-R", f"^{name}$", "--no-tests=error"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    return {
        "verdict": "MISS" if done.returncode else "ok",
        "text": done.stdout.strip()[-200:] if done.returncode else "",
    }


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: faults.py PROGRAM LIST.tsv [ID...]")
    program, listed = os.path.abspath(sys.argv[1]), list(rows(sys.argv[2], sys.argv[3:]))
    names = sorted({name for _, tests, _ in listed for name in tests if ":" not in name})
    began, found = time.monotonic(), {}
    with tempfile.NamedTemporaryFile() as results:
        if names:
            subprocess.run([sys.executable, "-B", RUN, program, "--json", results.name, *names], check=False)
            found = {one["name"]: one for one in json.load(results)}
    for _, tests, _ in listed:
        for name in tests:
            if name.startswith("ctest:"):
                found[name] = of_ctest(program, name[6:])
    print(f"\n{'id':<4} {'verdict':<24} tests")
    missed = 0
    for ident, tests, text in listed:
        if tests and tests[0].startswith("step:"):
            print(f"{ident:<4} {'see .ci/run ' + tests[0][5:]:<24} {text}")
            continue
        wrong = [name for name in tests if found.get(name, {"verdict": "MISS"})["verdict"] == "MISS"]
        skipped = [name for name in tests if found.get(name, {"verdict": ""})["verdict"] == "skip"]
        bad = wrong or (skipped if os.environ.get("CI") else [])
        missed += bool(bad)
        verdict = "not in this list yet" if not tests else "MISS" if bad else "ok"
        print(f"{ident:<4} {verdict:<24} {' '.join(bad or tests) or text}")
    tested = sum(bool(tests) and not tests[0].startswith("step:") for _, tests, _ in listed)
    print(f"{tested} rows tested, {missed} missed, {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
