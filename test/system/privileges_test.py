# SPDX-License-Identifier: Apache-2.0
"""What the program may do once it runs, and that it does what it should with no more: started by hand, by root too."""

import os
import subprocess

import probe
import traffic

FAILURE = 1


class Streams(probe.Case):
    """Started by something that closed descriptors 0, 1 or 2."""

    def capture(self):
        return self.path("good.pcap", traffic.pcap(traffic.standard().frames))

    def run_closed(self, closed, *arguments):
        """The exit status, and what it said on the error output if that was open."""
        with open(self.path("said"), "w+b") as said:

            def close():
                os.dup2(said.fileno(), 2)
                for fd in closed:
                    os.close(fd)

            done = subprocess.run(
                [probe.BINARY, *arguments],
                preexec_fn=close,
                timeout=probe.LIMIT,
                cwd=self.folder,
                env=probe.clean_environment(),
                check=False,
            )
            said.seek(0)
            return done.returncode, said.read().decode()

    def test_with_any_of_its_streams_closed_it_meters_a_file(self):
        capture = self.capture()
        for closed in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
            with self.subTest(closed):
                status, _ = self.run_closed(
                    closed, "--read", capture, "--write-ipfix", "out.ipfix", "--counters", "counters.json"
                )
                self.assertEqual(status, 0)
                self.assertGreater(os.path.getsize(self.path("out.ipfix")), 0)
                with open(self.path("out.ipfix"), "rb") as file:
                    self.assertEqual(file.read(2), b"\x00\x0a")  # the version of IPFIX, and no word of the log

    def test_flows_for_a_closed_output_are_refused(self):
        capture = self.capture()
        for output in (("--output", "table"), ("--output", "json"), ("--write-ipfix", "-"), ()):
            with self.subTest(output):
                status, said = self.run_closed((1,), "--read", capture, *output)
                self.assertEqual(status, FAILURE)
                self.assertIn("standard output is closed", said)
                self.assertEqual(len(said.splitlines()), 1, said)

    def test_a_capture_from_a_closed_input_is_refused(self):
        status, said = self.run_closed((0,), "--read", "-", "--output", "json")
        self.assertEqual(status, FAILURE)
        self.assertIn("standard input is closed", said)

    def test_help_for_nobody_is_refused(self):
        status, said = self.run_closed((1,), "--help")
        self.assertEqual(status, FAILURE)
        self.assertIn("standard output is closed", said)


if __name__ == "__main__":
    probe.main()
