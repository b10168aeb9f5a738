# SPDX-License-Identifier: Apache-2.0
"""Runs a sanitized program on every capture of some folders, in both readings of tunnels and with short timeouts.

identity.py PROGRAM FOLDER...: no crash, no sanitizer report, no run longer than a minute, IPFIX that our reader takes,
and the accounting identity in every counters file.
"""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../test/system"))
import ipfix  # noqa: E402

WAYS = {
    "outer": (),
    "inner": ("--set", "decode.tunnels=inner"),
    "hurried": (
        "--set",
        "export.active_timeout=1s",
        "--set",
        "export.inactive_timeout=1s",
        "--set",
        "flow.max_flows=64",
        "--set",
        "capture.workers=4",
    ),
}


def complaint(program, capture, options, folder):
    out, counters = os.path.join(folder, "out.ipfix"), os.path.join(folder, "counters.json")
    for path in (out, counters):
        if os.path.exists(path):
            os.remove(path)
    try:
        done = subprocess.run(
            [program, "--read", capture, "--write-ipfix", out, "--output", "none", "--counters", counters, *options],
            capture_output=True,
            text=True,
            timeout=60,
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "took more than a minute"
    if done.returncode not in (0, 1) or "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        return f"status {done.returncode}: {done.stderr[-600:]}"
    if not os.path.exists(counters):
        # Refused before anything was read: a link type that is not decoded, or no capture at all.
        return None if done.returncode == 1 and done.stderr.strip() else "no counters"
    with open(counters, encoding="utf-8") as file:
        c = json.load(file)
    places = [
        c["packets_filtered"],
        sum(c["packets_discarded"].values()),
        c["packets_in_records_sent"],
        c["packets_in_records_not_sent"],
        c["packets_in_table"],
    ]
    if c["packets_received"] != sum(places):
        return f"received {c['packets_received']}, accounted for {places}"
    try:
        exported = sum(r["packetDeltaCount"] for r in ipfix.read_file(out).records)
    except ipfix.Fault as fault:
        return f"IPFIX: {fault}"
    if exported != c["packets_in_records_sent"]:
        return f"records hold {exported} packets, counted {c['packets_in_records_sent']}"
    return None


def main():
    program, folders, bad, runs = sys.argv[1], sys.argv[2:], 0, 0
    captures = sorted(
        os.path.join(folder, name)
        for folder in folders
        for name in os.listdir(folder)
        if name.endswith((".pcap", ".pcapng"))
    )
    with tempfile.TemporaryDirectory() as folder:
        for capture in captures:
            for way, options in WAYS.items():
                runs += 1
                wrong = complaint(program, capture, options, folder)
                if wrong:
                    bad += 1
                    print(f"{os.path.basename(capture)} ({way}): {wrong}")
    print(f"{len(captures)} captures, {runs} runs, {bad} wrong")
    return 1 if bad or not captures else 0


if __name__ == "__main__":
    sys.exit(main())
