# SPDX-License-Identifier: Apache-2.0
"""Bad input: one clear line that names what is wrong and where, the right exit status, nothing started."""

import os
import shutil
import socket
import struct
import subprocess

import ipfix
import probe
import traffic

FAILURE, USAGE, NO_PERMISSION, CONFIGURATION = 1, 2, 77, 78


class Refusals(probe.Case):
    def refused(self, status, words, *arguments, lines=1, **more):
        """Runs the program; it must end with `status` and one line holding all of `words`."""
        result = self.run_probe(*arguments, **more)
        self.assertEqual(result.status, status, result.err)
        said = result.errors()
        self.assertEqual(len(said), lines, said)
        for word in words:
            self.assertIn(word, said[0])
        return result

    def config(self, text, words):
        path = self.path("bad.yaml", text)
        self.refused(CONFIGURATION, ["bad.yaml", *words], "--config", path, "--read", self.capture())
        self.refused(CONFIGURATION, ["bad.yaml", *words], "--config", path, "--check-config")

    def capture(self):
        return self.path("good.pcap", traffic.pcap(traffic.standard().frames))

    # Configuration files

    def test_an_unknown_key_names_its_place_and_the_nearest_one(self):
        self.config("export:\n  domain_id: 1\n  colector_ip: 192.0.2.1\n", [":3:3", "colector_ip", "collector_ip"])

    def test_an_unknown_block_is_named(self):
        self.config("exprot:\n  domain_id: 1\n", [":1:1", "exprot", "export"])

    def test_a_value_of_the_wrong_type_is_named(self):
        self.config("capture:\n  snap_len: lots\n", [":2:", "snap_len", "lots"])
        self.config("capture:\n  promiscuous: maybe\n", [":2:", "promiscuous", "maybe"])
        self.config("export:\n  active_timeout: soon\n", [":2:", "active_timeout", "soon"])
        self.config("export: 5\n", [":1:", "export"])
        self.config("export:\n  domain_id: [1, 2]\n", [":2:", "domain_id"])

    def test_a_value_out_of_range_is_named_with_its_limits(self):
        self.config("export:\n  collector_port: 70000\n", [":2:", "collector_port", "70000", "65535"])
        self.config("export:\n  template_id: 255\n", [":2:", "template_id", "255", "256"])
        self.config("export:\n  template_id: 65530\n", [":2:", "template_id", "65530", "65520"])
        self.config("export:\n  active_timeout: -1s\n", [":2:", "active_timeout"])
        self.config("capture:\n  snap_len: 999999999999999999999\n", [":2:", "snap_len"])

    def test_a_key_given_twice_is_named_where_it_stands_again(self):
        self.config("export:\n  domain_id: 1\n  domain_id: 2\n", [":3:3", "domain_id"])
        self.config(
            "export:\n  domain_id: 1\ncapture:\n  snap_len: 96\nexport:\n  template_id: 300\n", [":5:1", "export"]
        )

    def test_text_that_is_no_yaml_is_named_with_its_place(self):
        self.config("export:\n  domain_id: [1\n", [":"])

    def test_a_named_file_that_is_absent_is_a_fault_of_the_configuration(self):
        self.refused(CONFIGURATION, ["nowhere.yaml"], "--config", self.path("nowhere.yaml"), "--read", self.capture())

    def test_a_folder_is_no_configuration(self):
        self.refused(CONFIGURATION, [self.folder], "--config", self.folder, "--read", self.capture())

    def test_a_text_on_which_the_yaml_library_loops_is_refused_at_once(self):
        for text in (",", "# a comment\n,", "---\n,"):
            self.config(text, ["cannot stand here"])

    def test_all_mistakes_of_a_file_are_told_each_in_a_line(self):
        path = self.path("bad.yaml", "capture:\n  snap_len: 1\nexport:\n  fields: [octetDeltaCont, packetDeltaCont]\n")
        result = self.run_probe("-config", path, "--check-config")
        self.assertEqual(result.status, CONFIGURATION)
        for line, words in zip(result.errors(), (":2:13: capture.snap_len", "octetDeltaCount", "packetDeltaCount")):
            self.assertIn(words, line)
        self.assertEqual(len(result.errors()), 3, result.err)

    def test_a_file_that_was_merely_found_is_refused_where_others_could_have_put_it(self):
        self.path("config.yaml", "log: {level: info}\n")
        for how in (("--check-config",), ("--print-config",), ("--read", self.capture(), "--output", "none")):
            os.chmod(self.folder, 0o700)
            found = self.run_probe(*how, cwd=self.folder)
            self.assertEqual(found.status, 0, found.err)
            self.assertIn(self.folder + "/config.yaml", found.out + found.err)
            os.chmod(self.folder, 0o777)
            self.refused(CONFIGURATION, ["config.yaml", "name it with -config"], *how, cwd=self.folder)
            self.assertEqual(self.run_probe("-config", "config.yaml", *how, cwd=self.folder).status, 0)

    # Command line

    def test_a_bad_setting_on_the_command_line_is_a_fault_of_the_configuration(self):
        for setting, words in (
            ("export.domainid=1", ["export.domainid", "export.domain_id"]),
            ("export.domain_id=x", ["export.domain_id"]),
            ("export.collector_port=0", ["export.collector_port"]),
        ):
            with self.subTest(setting):
                self.refused(CONFIGURATION, words, "--set", setting, "--read", self.capture())

    def test_a_setting_without_a_value_is_a_fault_of_usage(self):
        result = self.run_probe("--set", "nonsense", "--read", self.capture())
        self.assertEqual(result.status, USAGE)
        self.assertIn("nonsense", result.err)

    def test_an_unknown_option_is_a_fault_of_usage(self):
        for option in ("--colector", "-colector", "--no-such-thing", "-x"):
            with self.subTest(option):
                result = self.run_probe(option, "value")
                self.assertEqual(result.status, USAGE)
                self.assertIn(option.lstrip("-"), result.err)

    def test_a_word_that_is_no_option_is_a_fault_of_usage(self):
        result = self.run_probe("eth0")
        self.assertEqual(result.status, USAGE)
        self.assertIn("eth0", result.err)

    def test_nothing_to_read_is_a_fault_of_usage_that_says_what_to_do(self):
        result = self.run_probe()
        self.assertEqual(result.status, USAGE)
        self.assertIn("-interface", result.err)

    def test_a_filter_that_does_not_compile_is_a_fault_of_the_configuration(self):
        for how in (("--filter", "tcp prot 80"), ("--set", "capture.bpf_filter=tcp prot 80")):
            self.refused(CONFIGURATION, ["tcp prot 80"], *how, "--read", self.capture())
        self.refused(CONFIGURATION, ["tcp prot 80"], "--filter", "tcp prot 80", "--check-config", "-interface", "lo")

    def test_a_filter_that_the_kernel_refuses_is_a_fault_of_the_configuration(self):
        # bpf_check_classic() of Linux takes no jump back and at most 4096 instructions.
        hosts = " or ".join(f"ip6 host 2001:db8::{i:x}" for i in range(400))
        path = self.path("bad.yaml", "capture:\n  interface: lo\n  bpf_filter: ip protochain 17\n")
        place = ["bad.yaml:3", "capture.bpf_filter", "protochain"]
        self.refused(CONFIGURATION, place, "--config", path, "--check-config")
        for how in (("--check-config",), ("--duration", "1s")):
            for expression, words in (("ip protochain 17", ["the kernel"]), (hosts, ["the kernel", "shorter"])):
                words = ["capture.bpf_filter", *words]
                self.refused(CONFIGURATION, words, "-interface", "lo", "--filter", expression, *how)
        # On a file nobody asks the kernel.
        result = self.run_probe("--read", self.capture(), "--filter", "ip protochain 17", "--output", "none")
        self.assertEqual(result.status, 0, result.err)

    # Capture files

    def test_a_capture_that_cannot_be_read_is_named(self):
        self.refused(FAILURE, ["nowhere.pcap"], "--read", self.path("nowhere.pcap"))
        self.refused(FAILURE, [self.folder], "--read", self.folder)

    def test_a_file_that_is_no_capture_is_named(self):
        for name, data in (
            ("text", b"this is no capture at all, but a text of some length\n"),
            ("nothing", b""),
            ("zeros", bytes(100)),
            ("short", struct.pack("<IH", 0xA1B2C3D4, 2)),
        ):
            with self.subTest(name):
                self.refused(FAILURE, [name], "--read", self.path(name, data))

    def test_a_link_type_that_is_not_decoded_is_named(self):
        data = bytearray(traffic.pcap(traffic.standard().frames))
        data[20:24] = struct.pack("<I", 105)
        self.refused(FAILURE, ["802_11"], "--read", self.path("radio.pcap", bytes(data)))
        data[20:24] = struct.pack("<I", 147)
        self.refused(FAILURE, ["147"], "--read", self.path("user0.pcap", bytes(data)))

    def test_a_damaged_capture_gives_what_stood_before_the_damage(self):
        c = traffic.standard()
        data = bytearray(traffic.pcap(c.frames[:100]))
        at = len(data)
        data += struct.pack("<IIII", 1, 1, 0x7FFFFFFF, 0x7FFFFFFF) + b"garbage"
        result = self.run_probe(
            "--read",
            self.path("damaged.pcap", bytes(data)),
            "--write-ipfix",
            self.path("o.ipfix"),
            "--output",
            "none",
            "--counters",
            self.path("counters.json"),
        )
        self.assertEqual(result.status, FAILURE)
        self.assertIn("damaged.pcap", result.err)
        self.assertEqual(result.counters()["packets_received"], 100, f"damage at {at}")
        self.assert_identity(result.counters())
        self.assertEqual(
            sum(r["packetDeltaCount"] for r in ipfix.read_file(self.path("o.ipfix")).records),
            result.counters()["packets_in_records_sent"],
        )

    # Interfaces and outputs

    def test_an_interface_that_does_not_exist_is_named_with_the_nearest(self):
        # Names are looked up after the privilege, which anybody has in a namespace of his own.
        self.refused(FAILURE, ["lol", "lo"], "-interface", "lol", prefix=probe.in_namespaces(self, "--net"))

    def test_without_the_privilege_the_line_says_which_one(self):
        prefix = (
            ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all") if os.geteuid() == 0 else ()
        )
        if prefix and not shutil.which("setpriv"):
            self.skipTest("no setpriv")
        self.refused(NO_PERMISSION, ["CAP_NET_RAW"], "-interface", "lo", prefix=prefix)

    def test_a_collector_that_cannot_be_is_refused_at_start(self):
        for address, named in (
            ("192.0.2.1:99999", "99999"),
            ("::::", "::::"),
            ("192.0.2.1:port", "port"),
            ("bad host", "bad host"),
        ):
            with self.subTest(address):
                result = self.run_probe("--read", self.capture(), "-collector", address)
                self.assertIn(result.status, (FAILURE, CONFIGURATION), result.err)
                self.assertEqual(len(result.errors()), 1, result.err)
                self.assertIn(named, result.err)

    def test_an_ipfix_file_that_cannot_be_written_is_named(self):
        self.refused(
            FAILURE,
            ["/no/such/folder/out.ipfix"],
            "--read",
            self.capture(),
            "--write-ipfix",
            "/no/such/folder/out.ipfix",
        )

    def test_a_full_disk_is_told_and_counted(self):
        result = self.run_probe(
            "--read",
            self.capture(),
            "--write-ipfix",
            "/dev/full",
            "--output",
            "none",
            "--counters",
            self.path("counters.json"),
        )
        counters = result.counters()
        self.assert_identity(counters)
        self.assertEqual(counters["packets_in_records_sent"], 0)
        self.assertGreater(counters["packets_in_records_not_sent"], 0)
        self.assertIn("/dev/full", result.err)

    def test_check_config_says_yes_to_a_good_file(self):
        path = self.path(
            "good.yaml", "capture:\n  interface: lo\n  bpf_filter: tcp\nexport:\n  collector_ip: 127.0.0.1\n"
        )
        self.assertEqual(self.run_probe("--config", path, "--check-config").status, 0)

    def test_the_reference_configuration_is_accepted_as_it_is_written(self):
        text = """# the reference configuration, word for word
capture:
  interface: "eth0"
  promiscuous: true
  snap_len: 128
  bpf_filter: ""
  buffer_size_mb: 64

export:
  collector_ip: "192.168.100.132"
  collector_port: 2055
  domain_id: 1
  template_id: 256
  template_interval: 300s
  active_timeout: 60s
  inactive_timeout: 15s
  interface_index: 1
  track_tcp_performance: true
"""
        result = self.run_probe("--config", self.path("reference.yaml", text), "--print-config")
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("192.168.100.132", result.out)

    def test_the_shipped_configuration_is_accepted(self):
        shipped = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../etc/config.yaml")
        self.assertTrue(os.path.exists(shipped), "etc/ ships a configuration")
        result = self.run_probe("--config", shipped, "--print-config")
        self.assertEqual(result.status, 0, result.err)


class Interrupted(probe.Case):
    def test_an_exporter_without_a_reader_does_not_fall_over_a_closed_pipe(self):
        capture = self.path("in.pcap", traffic.pcap(traffic.standard().frames))
        shell = subprocess.run(
            ["sh", "-c", f"'{probe.BINARY}' --read '{capture}' --output json | head -n 1"],
            capture_output=True,
            timeout=probe.LIMIT,
            env=probe.clean_environment(),
            check=False,
        )
        self.assertEqual(shell.stdout.count(b"\n"), 1)
        self.assertNotIn(b"Sanitizer", shell.stderr)


if __name__ == "__main__":
    assert socket.if_nametoindex("lo") > 0
    probe.main()
