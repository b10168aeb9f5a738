# SPDX-License-Identifier: Apache-2.0
"""Reloads that take their time: whatever a settings file, a filter or an output does, the main thread goes on.

A watchdog of one second is fed four times a second: whoever counts the feeds sees whether the main thread was held up.
"""

import os
import shutil
import signal
import time

import probe
import service_test

SOON = 2.0  # a stop, seconds; machines are busy


class Reload(service_test.Service):
    BASE = "capture:\n  interface: near0\n  workers: 1\n"

    def begin(self, text=BASE):
        self.write(text)
        running = self.start(watchdog=1)
        self.manager.wait("WATCHDOG", 1)
        return running

    def hup(self, running):
        before = self.manager.count("RELOADING")
        running.process.send_signal(signal.SIGHUP)
        self.manager.wait("RELOADING", before + 1)

    def fed_meanwhile(self, times=2):
        self.manager.wait("WATCHDOG", self.manager.count("WATCHDOG") + times)

    def ends_soon(self, running):
        begun = time.monotonic()
        result, _ = self.stop(running)
        self.assertLess(time.monotonic() - begun, SOON)
        return result

    def wait_for_line(self, running, words):
        probe.wait_for(words, lambda: words in running.text())

    def replace(self, make):
        path = self.path("probe.yaml")
        os.unlink(path)
        make(path)

    def test_a_pipe_that_nobody_writes_in_place_of_the_file_is_given_up_and_can_be_mended(self):
        running = self.begin()
        self.replace(os.mkfifo)
        self.hup(running)
        self.fed_meanwhile(8)
        self.wait_for_line(running, "not understood within 5s; it is no settings file, or nobody writes it; the")
        os.unlink(self.path("probe.yaml"))
        self.write(self.BASE + "log:\n  statistics_interval: 7s\n")
        self.hup(running)
        self.wait_for_line(running, "now in force: log.statistics_interval")
        self.ends_soon(running)

    def test_sigterm_does_not_wait_for_a_reload(self):
        running = self.begin()
        self.replace(os.mkfifo)
        self.hup(running)
        self.fed_meanwhile()
        result = self.ends_soon(running)
        self.assertIn("reload: given up, as the probe stops; the settings stay as they were", result.err)

    def test_a_text_on_which_the_yaml_library_loops_changes_nothing(self):
        running = self.begin()
        for text in (",", "# a comment\n,", "---\n,\n"):
            self.write(text)
            ready = self.manager.count("READY")
            self.hup(running)
            self.manager.wait("READY", ready + 1)
        self.assertEqual(running.text().count('not valid YAML ("," cannot stand here)'), 3)
        self.assertNotIn("now in force", running.text())
        self.ends_soon(running)

    def test_a_signal_during_a_reload_means_one_more_after_it(self):
        running = self.begin()
        self.replace(os.mkfifo)
        self.hup(running)
        # The new file is there before the first reload has ended, which has the pipe open and knows nothing of it.
        self.fed_meanwhile()
        os.unlink(self.path("probe.yaml"))
        self.write(self.BASE + "log:\n  statistics_interval: 7s\n")
        for _ in range(3):
            running.process.send_signal(signal.SIGHUP)
            self.fed_meanwhile()
        self.wait_for_line(running, "now in force: log.statistics_interval")
        self.assertEqual(self.manager.count("RELOADING"), 2)
        self.manager.wait("READY", 3)
        self.ends_soon(running)

    def test_a_filter_that_takes_long_to_compile_does_not_keep_the_watchdog_hungry(self):
        running = self.begin()
        hosts = " or ".join(f"host 10.{i // 200}.{i % 200}.1" for i in range(300))
        self.write(self.BASE + f'  bpf_filter: "{hosts}"\n')
        begun = time.monotonic()
        fed = self.manager.count("WATCHDOG")
        self.hup(running)
        self.manager.wait("READY", 2)
        # Four times a second; half of them make up for a busy machine.
        self.assertGreaterEqual(self.manager.count("WATCHDOG") - fed, int((time.monotonic() - begun) * 2))
        self.ends_soon(running)

    def test_an_output_that_nobody_reads_does_not_hold_up_the_main_thread(self):
        running = self.begin()
        os.mkfifo(self.path("out"))
        self.write(self.BASE + f"export:\n  collectors: [\"file://{self.path('out')}\"]\n")
        self.hup(running)
        self.fed_meanwhile(4)
        self.ends_soon(running)

    def test_of_several_mistakes_the_first_is_logged_in_one_line(self):
        running = self.begin()
        self.write(self.BASE + "  snap_len: 1\n  x: 1\n")
        ready = self.manager.count("READY")
        self.hup(running)
        self.manager.wait("READY", ready + 1)
        lines = [line for line in running.text().splitlines() if "reload:" in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("probe.yaml:4:13: capture.snap_len: 1 is out of range", lines[0])
        self.assertIn("(--check-config tells of other mistakes too); the settings stay as they were", lines[0])
        self.ends_soon(running)


    def test_sigterm_does_not_wait_for_names(self):
        # A resolver of its own, in a mount namespace.
        resolver = self.path("resolv.conf", "nameserver 10.9.0.2\n")
        hook = self.path("hook", f"#!/bin/sh\nmount --bind {resolver} /etc/resolv.conf && exec \"$@\"\n")
        os.chmod(hook, 0o755)
        real, probe.BINARY = probe.BINARY, self.path("wrapped")
        self.addCleanup(setattr, probe, "BINARY", real)
        self.path("wrapped", f'#!/bin/sh\nexec unshare --mount {hook} {real} "$@"\n')
        os.chmod(probe.BINARY, 0o755)
        running = self.begin()
        names = ", ".join(f"udp://host{i}.example" for i in range(8))
        self.write(self.BASE + f"export:\n  collectors: [{names}]\n")
        self.hup(running)
        self.fed_meanwhile(4)
        self.ends_soon(running)


if __name__ == "__main__":
    probe.enter_namespace()
    for tool in ("ip", "nsenter", "unshare", "mount"):
        if not shutil.which(tool):
            probe.skip(f"{tool} is missing")
    probe.ip("link", "set", "lo", "up")
    probe.main()
