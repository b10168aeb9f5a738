# SPDX-License-Identifier: Apache-2.0
"""The examples in the manual pages work as they stand there."""

import os
import re
import subprocess

import ipfix
import probe
import traffic

MAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "man")


def examples(page):
    """Displayed lines and blocks, as a reader types them."""
    with open(os.path.join(MAN, page), encoding="utf-8") as file:
        text = file.read()
    found = re.findall(r"^\.Dl ([^\n]*)\n|^\.Bd -literal[^\n]*\n(.*?)^\.Ed\n", text, re.MULTILINE | re.DOTALL)
    for line, block in found:
        shown = line or block
        for sign, meant in (("\\(aq", "'"), ("\\(dq", '"'), ("\\e", "\\")):
            shown = shown.replace(sign, meant)
        yield shown


class Manual(probe.Case):
    def setUp(self):
        super().setUp()
        self.path("capture.pcap", traffic.pcap(traffic.standard().frames))
        self.path("new.yaml", "log: {level: info}\n")
        os.symlink(probe.BINARY, self.path("chompy-probe"))
        os.chmod(self.path("jq", "#!/bin/sh\nexec cat\n"), 0o755)  # the filter is its own program's business

    def shell(self, command):
        return subprocess.run(
            ["bash", "-c", "set -o pipefail\n" + command],
            cwd=self.folder,
            env={**probe.clean_environment(), "PATH": self.folder + ":" + os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=probe.LIMIT,
        )

    def test_every_command_runs_or_at_least_is_in_order(self):
        seen = 0
        for command in examples("chompy-probe.8"):
            if not re.match(r"(time )?chompy-probe ", command):
                continue
            seen += 1
            if "-interface" in command:
                command = command.rstrip() + " --check-config"
            with self.subTest(command):
                done = self.shell(command)
                self.assertEqual((done.returncode, "error" in done.stderr), (0, False), done.stderr)
        self.assertGreaterEqual(seen, 7)

    def test_every_example_of_settings_is_in_order(self):
        seen = 0
        for page in ("chompy-probe.8", "chompy-probe.yaml.5"):
            for example in examples(page):
                match = re.search(r"^[a-z]+:\n(?:(?: .*)?\n)*(?:[a-z]+:\n(?: .*\n)*)*", example, re.MULTILINE)
                if match is None:
                    continue
                seen += 1
                file = self.path(f"example{seen}.yaml", match.group())
                with self.subTest(match.group()):
                    result = self.run_probe("-config", file, "--check-config")
                    self.assertEqual(result.status, 0, result.err)
        self.assertGreaterEqual(seen, 2)

    def test_one_record_for_each_direction_means_it_whatever_the_pauses(self):
        command = next(text for text in examples("chompy-probe.8") if "export.inactive_timeout=" in text)
        c = traffic.Capture()
        lines = ["0 > 100 0 0 S 1000", "1 < 500 101 0 SA 1000", "2 > 101 501 0 A 1000"]
        for i in range(20):  # a request and its answer every ten minutes: for hours, with pauses
            at, seq, ack = 600_000 * (i + 1), 101 + 10 * i, 501 + 10 * i
            lines += [f"{at} > {seq} {ack} 10 PA 1000", f"{at + 5} < {ack} {seq + 10} 10 PA 1000"]
        c.tcp(traffic.START, traffic.Host(1), traffic.Host(2), 4, 1000, 443, "\n".join(lines))
        self.path("capture.pcap", traffic.pcap(c.sorted().frames))
        done = self.shell(command)
        self.assertEqual(done.returncode, 0, done.stderr)
        records = ipfix.read_file(self.path("flows.ipfix")).records
        self.assertEqual(sorted(r["packetDeltaCount"] for r in records), [21, 22])

    def test_the_mistakes_shown_are_answered_as_shown(self):
        shown = next(text for text in examples("chompy-probe.8") if "no unit" in text).splitlines()
        bad = 'capture:\n  interface: eth0\n\n\n\nexport:\n  active_timeout: "60"\n'
        first = self.run_probe("-config", self.path("config.yaml", bad), "--check-config", cwd=self.folder)
        where = self.path("config.yaml")
        self.assertEqual(first.err.strip(), "chompy-probe: " + shown[0].replace("config.yaml", where))
        os.unlink(where)
        second = self.run_probe("--read", "capture.pcap", "--set", "flow.max_flow=1")
        self.assertEqual(second.err.strip(), "chompy-probe: " + shown[1])


if __name__ == "__main__":
    probe.main()
