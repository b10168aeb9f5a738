#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads every capture of a folder with the probe and compares the number of packets with tshark's.

capture_corpus.py PROBE FOLDER      exit 0 if all agree; needs tshark.

A file of a link type that is not decoded must be refused by name; a damaged file must be read up to the damage and
end with status 1.  Everything else must end with status 0.  Three workers must make the records that one makes, with
everything metered that can be.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

# tshark takes the second packet of this crafted file for one of another format and invents a frame; tcpdump stops.
KNOWN = {"suri_bug6875_fuzz.pcap": 1}


def tshark_count(capture):
    command = ["tshark", "-r", capture, "-T", "fields", "-e", "frame.number"]
    run = subprocess.run(command, capture_output=True, text=True)
    return len(run.stdout.splitlines()), run.returncode


def probe_count(probe, capture):
    with tempfile.NamedTemporaryFile() as counters:
        command = [probe, "--read", capture, "--output", "none", "--counters", counters.name]
        run = subprocess.run(command, capture_output=True, text=True)
        text = pathlib.Path(counters.name).read_text()
    return (json.loads(text)["packets_received"] if text else None), run.returncode, run.stderr.strip()


def records(probe, capture, workers):
    command = [probe, "--read", capture, "--output", "json", "--set", f"capture.workers={workers}"]
    command += ["--set", "export.fields=extended", "--set", "decode.tunnels=inner", "--set", "export.active_timeout=5s"]
    command += ["--set", "export.inactive_timeout=2s"]
    return sorted(subprocess.run(command, capture_output=True).stdout.splitlines())


def main(probe, folder):
    wrong = compared = 0
    captures = sorted(p for p in pathlib.Path(folder).iterdir() if p.suffix in (".pcap", ".pcapng"))
    for capture in captures:
        expected, tshark_status = tshark_count(str(capture))
        count, status, message = probe_count(probe, str(capture))
        expected = KNOWN.get(capture.name, expected)
        refused = status == 1 and not count and "LINKTYPE" in message
        agreed = count == expected and status == (1 if tshark_status else 0)
        if not refused and not agreed:
            wrong += 1
            print(
                f"{capture.name}: {count} packets, status {status} ({message});"
                f" tshark {expected}, status {tshark_status}"
            )
        alone = records(probe, str(capture), 1)
        compared += len(alone)
        if alone != records(probe, str(capture), 3):
            wrong += 1
            print(f"{capture.name}: three workers make other records than one")
    print(f"{len(captures)} captures, {wrong} disagree; {compared} records alike with one worker and with three")
    return 1 if wrong or not captures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
