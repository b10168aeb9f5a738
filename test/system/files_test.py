# SPDX-License-Identifier: Apache-2.0
"""Captures in, records out: the whole program on files, against what the writer of the files knows."""

import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

import ipfix
import probe
import traffic


# The standard template of 82 octets, field by field: (PEN, element, octets).
STANDARD = [
    (0, 8, 4),
    (0, 12, 4),
    (0, 7, 2),
    (0, 11, 2),
    (0, 4, 1),
    (0, 2, 8),
    (0, 1, 8),
    (0, 56, 6),
    (0, 80, 6),
    (0, 6, 1),
    (0, 152, 8),
    (0, 153, 8),
    (0, 10, 4),
]
TCP = [(99999, 1, 4), (99999, 2, 4), (99999, 3, 4), (99999, 4, 4), (99999, 5, 2), (99999, 6, 2)]
STANDARD6 = [(0, 27, 16), (0, 28, 16), *STANDARD[2:]]


class Writer:
    """An end of a FIFO that nothing is written into; it can be had when a reader has opened the other end."""

    def __init__(self, case, fifo):
        self.fifo = fifo
        probe.wait_for("the FIFO is open", self.opened)
        case.addCleanup(os.close, self.fd)

    def opened(self):
        try:
            self.fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return False
        return True


class Files(probe.Case):
    def meter(self, data, *more, status=0, name="in.pcap", pen=99999):
        """Runs the program on a capture; gives the reader of its IPFIX file and the result."""
        capture = self.path(name, data)
        result = self.run_probe(
            "--read",
            capture,
            "--write-ipfix",
            self.path("out.ipfix"),
            "--output",
            "none",
            "--counters",
            self.path("counters.json"),
            *more,
        )
        self.assertEqual(result.status, status, result.err)
        self.assert_identity(result.counters())
        return ipfix.read_file(self.path("out.ipfix"), pen), result

    def assert_flows(self, records, flows, without=()):
        """One record for each flow, every figure as the writer of the capture counted it."""
        got = {}
        for record in records:
            self.assertNotIn(ipfix.key(record), got, "two records of one flow")
            got[ipfix.key(record)] = record
        self.assertEqual(sorted(got), sorted(flows))
        for key, flow in flows.items():
            for name, value in flow.items():
                if name not in without:
                    self.assertEqual(got[key].get(name), value, f"{key} {name}")

    def test_every_flow_of_a_capture_is_exported_with_its_true_figures(self):
        c = traffic.standard()
        reader, result = self.meter(traffic.pcap(c.frames), *probe.FOREVER)
        self.assert_flows(reader.records, c.flows)
        counters = result.counters()
        self.assertEqual(counters["packets_received"], len(c.frames))
        self.assertEqual(counters["packets_in_records_sent"], c.packets())
        self.assertEqual(counters["packets_discarded"]["not_ip"], c.not_ip)
        self.assertEqual(counters["packets_in_table"], 0)

    def test_the_templates_are_the_standard_ones_octet_for_octet(self):
        reader, _ = self.meter(traffic.pcap(traffic.standard().frames), *probe.FOREVER)
        self.assertEqual(reader.templates[1, 256], (0, STANDARD + TCP))
        self.assertEqual(reader.templates[1, 257], (0, STANDARD6 + TCP))
        self.assertEqual(sum(size for _, _, size in STANDARD + TCP), 82)

    def test_the_first_message_with_flows_carries_templates_sampling_and_flows_in_this_order(self):
        reader, _ = self.meter(traffic.pcap(traffic.standard().frames), *probe.FOREVER)
        sampling = next(o for o in reader.options if "samplingPacketInterval" in o)
        self.assertEqual((sampling["samplingPacketInterval"], sampling["samplingPacketSpace"]), (1, 0))
        self.assertIn((0, 305, 4), reader.templates[1, sampling["_template"]][1])
        self.assertIn(reader.sets[0][0], (2, 3), "templates first in the first message")
        sets = ipfix.first_with_flows(reader)
        flows = next(i for i, s in enumerate(sets) if s in (256, 257))
        self.assertLess(sets.index(2), flows)
        self.assertLess(sets.index(3), sets.index(sampling["_template"]))
        self.assertLess(sets.index(sampling["_template"]), flows)

    def test_without_tcp_tracking_the_record_has_62_octets(self):
        c = traffic.standard()
        reader, _ = self.meter(traffic.pcap(c.frames), *probe.FOREVER, "--set", "export.track_tcp_performance=false")
        self.assertEqual(reader.templates[1, 256], (0, STANDARD))
        self.assertEqual(sum(size for _, _, size in STANDARD), 62)
        self.assert_flows(reader.records, c.flows, without=traffic.SIX)

    def test_domain_template_id_interface_and_enterprise_number_are_settings(self):
        c = traffic.standard()
        reader, _ = self.meter(
            traffic.pcap(c.frames),
            *probe.FOREVER,
            "--set",
            "export.domain_id=7",
            "--set",
            "export.template_id=300",
            "--set",
            "export.interface_index=42",
            "--set",
            "export.enterprise_number=32473",
            pen=32473,
        )
        self.assertIn((7, 300), reader.templates)
        self.assertIn((7, 301), reader.templates)
        self.assertEqual({r["_domain"] for r in reader.records}, {7})
        self.assertEqual({r["ingressInterface"] for r in reader.records}, {42})
        self.assert_flows(reader.records, c.flows)

    def test_the_kind_of_capture_file_does_not_matter(self):
        c = traffic.standard()
        for name, data in (
            ("pcapng", traffic.pcapng(c.frames)),
            ("big-endian", traffic.pcap(c.frames, big_endian=True)),
            ("microseconds", traffic.pcap(c.frames, nanoseconds=False)),
            ("snapped", traffic.pcap(c.frames, snap=96)),
        ):
            with self.subTest(name):
                self.assert_flows(self.meter(data, *probe.FOREVER)[0].records, c.flows)

    def test_the_link_layer_does_not_matter_but_for_its_addresses(self):
        c = traffic.standard()
        ip_only = [f for f in c.frames if f[1][12:14] != b"\x08\x06"]
        for link in (traffic.SLL, traffic.SLL2, traffic.RAW_IP, traffic.BSD_NULL, traffic.BSD_LOOP):
            with self.subTest(link=link):
                frames = c.frames if link in (traffic.SLL, traffic.SLL2) else ip_only
                reader, _ = self.meter(traffic.pcap(frames, link), *probe.FOREVER)
                self.assert_flows(reader.records, c.flows, without=("sourceMacAddress", "destinationMacAddress"))
                self.assertEqual({r["destinationMacAddress"] for r in reader.records}, {"00:00:00:00:00:00"})

    def test_standard_input_is_a_capture_like_any_other(self):
        c = traffic.standard()
        for data in (traffic.pcap(c.frames), traffic.pcapng(c.frames)):
            result = self.run_probe("--read", "-", "--write-ipfix", self.path("out.ipfix"), *probe.FOREVER, stdin=data)
            self.assertEqual(result.status, 0, result.err)
            self.assert_flows(ipfix.read_file(self.path("out.ipfix")).records, c.flows)

    def test_four_workers_meter_as_one(self):
        c = traffic.standard()
        reader, _ = self.meter(traffic.pcap(c.frames), *probe.FOREVER, "--set", "capture.workers=4")
        self.assert_flows(reader.records, c.flows)

    def test_json_lines_say_the_same_under_the_element_names(self):
        c = traffic.standard()
        capture = self.path("in.pcap", traffic.pcap(c.frames))
        result = self.run_probe("--read", capture, "--output", "json", *probe.FOREVER)
        self.assertEqual(result.status, 0, result.err)
        records = [json.loads(line) for line in result.out.splitlines()]
        self.assert_flows(records, c.flows)

    def test_the_table_names_every_conversation_and_its_round_trip(self):
        c = traffic.standard()
        result = self.run_probe("--read", self.path("in.pcap", traffic.pcap(c.frames)), *probe.FOREVER)
        self.assertEqual(result.status, 0, result.err)
        for source, _, sport, _, _ in c.flows:
            self.assertIn(source, result.out)
            self.assertIn(str(sport), result.out)

    def test_no_configuration_and_no_collector_print_flows_and_send_nothing(self):
        capture = self.path("in.pcap", traffic.pcap(traffic.standard().frames))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as default_port:
            default_port.bind(("127.0.0.1", 0))
            result = self.run_probe(
                "--read", capture, "--set", f"export.collector_port={default_port.getsockname()[1]}"
            )
            default_port.setblocking(False)
            self.assertRaises(BlockingIOError, default_port.recv, 1)
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("198.18.0.1", result.out)

    def endless(self, *parts):
        """A pipe through which `parts` come, the last of them for ever."""
        code = """
import os, sys
head, rest = open(sys.argv[1], 'rb').read(), open(sys.argv[2], 'rb').read()
try:
    sys.stdout.buffer.write(head)
    while True: sys.stdout.buffer.write(rest)
except BrokenPipeError: os._exit(0)
"""
        files = self.path("head", b"".join(parts[:-1])), self.path("rest", parts[-1])
        feeder = subprocess.Popen([sys.executable, "-c", code, *files], stdout=subprocess.PIPE)

        def close():
            feeder.kill()
            feeder.wait()
            feeder.stdout.close()

        self.addCleanup(close)
        return feeder.stdout

    def test_a_stream_in_which_nothing_matches_stops_when_its_time_is_over(self):
        def frame(protocol):
            address = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0])
            return address + bytes([0x45, 0, 0, 28, 0, 0, 64, 0, 64, protocol, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]) + bytes(8)

        def packet(data):
            return struct.pack("<IIII", 1_700_000_000, 0, len(data), len(data)) + data

        pcap = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        pcapng = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        interface = struct.pack("<IIHHII", 1, 20, 1, 0, 65535, 20)
        body = struct.pack("<IIIII", 0, 0, 0, 42, 42) + frame(6) + bytes(2)
        enhanced = struct.pack("<II", 6, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
        other = struct.pack("<IIII", 0xBAD, 16, 0, 16) * 1000
        streams = {
            "pcap": (pcap, packet(frame(6)), packet(frame(17)) * 1000),
            "pcapng": (pcapng + interface, enhanced, other),
        }
        for name, parts in streams.items():
            for workers in ("1", "3"):
                with self.subTest(stream=name, workers=workers):
                    begun = time.monotonic()
                    done = subprocess.run(
                        [probe.BINARY, "--read", "-", "--filter", "tcp", "--duration", "1s", "--output", "json"]
                        + ["--counters", self.path("counters.json"), "--set", f"capture.workers={workers}"],
                        stdin=self.endless(*parts),
                        capture_output=True,
                        timeout=probe.LIMIT,
                        check=False,
                        env=probe.clean_environment(),
                    )
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertLess(time.monotonic() - begun, 5)
                    counters = probe.Result(0, "", "", self.folder).counters()
                    self.assert_identity(counters)
                    self.assertEqual(counters["packets_in_records_sent"], 1)
                    self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_input_that_does_not_begin_is_left_by_a_signal_and_when_the_time_is_over(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        begun = time.monotonic()
        result = self.run_probe("--read", fifo, "--duration", "1s", "--output", "none")
        self.assertEqual(result.status, 1)
        self.assertIn(f"{fifo}: stopped before the capture began", result.err)
        self.assertLess(time.monotonic() - begun, 5)
        running = probe.Running(self, "--read", fifo, "--output", "none")
        Writer(self, fifo)
        running.process.send_signal(signal.SIGTERM)
        self.assertEqual(running.process.wait(5), -signal.SIGTERM)

    def test_a_filter_leaves_the_rest_counted_as_filtered(self):
        c = traffic.standard()
        for how in (("--filter", "udp"), ("--set", "capture.bpf_filter=udp")):
            reader, result = self.meter(traffic.pcap(c.frames), *probe.FOREVER, *how)
            # pcap-filter(7): "udp" is a matter of the protocol field.  Second fragments pass, tagged packets do not.
            udp = {k: v for k, v in c.flows.items() if k[4] == 17 and k[2:4] != (1000, 2000)}
            self.assert_flows(reader.records, udp)
            kept = sum(f["packetDeltaCount"] for f in udp.values())
            self.assertEqual(result.counters()["packets_filtered"], len(c.frames) - kept)

    def test_a_vlan_filter_finds_the_tagged_packets_of_a_file(self):
        c = traffic.standard()
        reader, _ = self.meter(traffic.pcap(c.frames), *probe.FOREVER, "--filter", "vlan 42")
        self.assert_flows(reader.records, {k: v for k, v in c.flows.items() if k[2:4] == (1000, 2000)})

    def test_an_idle_flow_ends_and_the_next_packet_begins_another(self):
        c = traffic.Capture()
        a, b = traffic.Host(1), traffic.Host(2)
        for second in (0, 14, 40, 41):  # 14 s apart: one record; 26 s apart: two
            c.udp(traffic.START + second * 10**9, a, b, 4, 1, 2, 10)
        reader, _ = self.meter(traffic.pcap(c.frames))
        got = sorted(
            (r["flowStartMilliseconds"], r["flowEndMilliseconds"], r["packetDeltaCount"]) for r in reader.records
        )
        base = traffic.START // traffic.MS
        self.assertEqual(got, [(base, base + 14_000, 2), (base + 40_000, base + 41_000, 2)])

    def test_a_long_flow_is_exported_every_active_timeout_and_counts_anew(self):
        c = traffic.Capture()
        a, b = traffic.Host(1), traffic.Host(2)
        for second in range(0, 150, 10):
            c.udp(traffic.START + second * 10**9, a, b, 4, 1, 2, 10)
        reader, _ = self.meter(traffic.pcap(c.frames))
        rows = sorted(
            (r["flowStartMilliseconds"], r["flowEndMilliseconds"], r["packetDeltaCount"], r["octetDeltaCount"])
            for r in reader.records
        )
        self.assertEqual(sum(r[2] for r in rows), 15)
        self.assertEqual(sum(r[3] for r in rows), 15 * 38)
        for start, end, _, _ in rows:
            self.assertLessEqual(end - start, 60_000)
        self.assertEqual(len(rows), 3)  # 150 s in intervals of 60 s

    def test_a_snapshot_begins_the_tcp_figures_anew(self):
        c = traffic.Capture()
        a, b = traffic.Host(1), traffic.Host(2)
        c.tcp(
            traffic.START,
            a,
            b,
            4,
            1,
            2,
            """
            0 > 1 0 0 S 1000
            20 < 1 2 0 SA 2000
            30 > 2 2 0 A 1000
            10000 > 2 2 10 A 900
            10020 < 2 12 0 A 2000
            22000 > 12 2 10 A 900
            22040 < 2 22 0 A 2000
            34000 > 22 2 10 A 900
            34020 < 2 32 0 A 2000""",
        )
        reader, _ = self.meter(traffic.pcap(c.frames), "--set", "export.active_timeout=21s")
        rows = sorted(
            (r["flowStartMilliseconds"], r["min_rtt_us"], r["max_rtt_us"])
            for r in reader.records
            if r["sourceTransportPort"] == 1
        )
        base = traffic.START // traffic.MS
        self.assertEqual(rows, [(base, 20_000, 20_000), (base + 22_000, 20_000, 40_000)])

    def test_a_file_that_ends_early_gives_what_it_had_and_says_so(self):
        c = traffic.standard()
        data = traffic.pcap(c.frames)
        reader, result = self.meter(data[:-10], *probe.FOREVER, status=1)
        self.assertEqual(sum(r["packetDeltaCount"] for r in reader.records), c.packets() - 1)
        self.assertIn("in.pcap", result.err)

    def test_an_empty_capture_is_no_error(self):
        reader, result = self.meter(traffic.pcap([]))
        self.assertEqual(reader.records, [])
        self.assertEqual(result.counters()["packets_received"], 0)

    def test_a_full_table_loses_no_packet(self):
        c = traffic.Capture()
        for i in range(5000):
            c.udp(traffic.START + i * 1000, traffic.Host(i % 250 + 1), traffic.Host(300), 4, 1000 + i, 2000, 10)
        reader, result = self.meter(traffic.pcap(c.frames), *probe.FOREVER, "--set", "flow.max_flows=256")
        self.assertEqual(sum(r["packetDeltaCount"] for r in reader.records), 5000)
        self.assertEqual(result.counters()["packets_in_records_sent"], 5000)

    def test_octets_that_are_no_packets_crash_nothing(self):
        c = traffic.standard()
        frames = []
        for i, (ns, frame) in enumerate(c.frames):
            damaged = bytearray(frame)
            for k in range(12 + i % 7, len(damaged), 11):
                damaged[k] = (damaged[k] * 31 + i * 7 + k) & 0xFF
            frames.append((ns, bytes(damaged[: len(damaged) - i % 40])))
        for inner in ("outer", "inner"):
            _, result = self.meter(traffic.pcap(frames), *probe.FOREVER, "--set", f"decode.tunnels={inner}")
            self.assertEqual(result.counters()["packets_received"], len(frames))

    def test_the_messages_of_a_file_are_whole_and_their_sequence_is_right(self):
        c = traffic.Capture()
        for i in range(20_000):
            c.udp(traffic.START + i * 1000, traffic.Host(i // 60000 + 1), traffic.Host(9), 4, 1 + i % 60000, 2000, 10)
        reader, _ = self.meter(traffic.pcap(c.frames), *probe.FOREVER)  # the reader raises on every fault
        self.assertEqual(len(reader.records), 20_000)
        self.assertGreater(reader.messages, 10)


class Help(probe.Case):
    def test_help_goes_to_standard_output_and_names_the_options_of_the_reference(self):
        for word in ("-h", "--help"):
            result = self.run_probe(word)
            self.assertEqual(result.status, 0)
            for option in (
                "config",
                "interface",
                "collector",
                "list-interfaces",
                "debug",
                "read",
                "output",
                "write-ipfix",
                "set",
                "filter",
                "check-config",
                "print-config",
                "list-fields",
                "counters",
                "duration",
                "version",
            ):
                self.assertIn(option, result.out)

    def test_version_and_interfaces_and_fields_are_printed(self):
        self.assertRegex(self.run_probe("--version").out, r"\d+\.\d+\.\d+")
        self.assertIn("lo", self.run_probe("-list-interfaces").out)
        fields = self.run_probe("--list-fields").out
        for name in ("sourceIPv4Address", "min_rtt_us", "max_tcp_window"):
            self.assertIn(name, fields)

    def test_what_print_config_prints_is_a_configuration_that_it_reads_and_prints_again(self):
        first = self.run_probe(
            "--print-config", "--set", "export.domain_id=9", "--set", "capture.bpf_filter=tcp port 80"
        )
        self.assertEqual(first.status, 0, first.err)
        again = self.run_probe("--print-config", "--config", self.path("again.yaml", first.out))
        strip = [
            [line.split(" #")[0].rstrip() for line in text.splitlines() if not line.lstrip().startswith("#")]
            for text in (first.out, again.out)
        ]
        self.assertEqual(strip[0], strip[1])
        self.assertIn("tcp port 80", again.out)

    def test_one_dash_is_as_good_as_two(self):
        config = self.path("one.yaml", "export:\n  domain_id: 5\n")
        for arguments in (("-config", config), ("--config", config), (f"-config={config}",), (f"--config={config}",)):
            result = self.run_probe(*arguments, "-print-config")
            self.assertEqual(result.status, 0, result.err)
            self.assertRegex(result.out, r"domain_id: 5\b")


if __name__ == "__main__":
    probe.main()
