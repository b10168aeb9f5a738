# SPDX-License-Identifier: Apache-2.0
"""Export over UDP to a collector on the loopback interface: complete, in order, and calm when nobody listens."""

import os
import re
import select
import socket
import threading
import time

import ipfix
import probe
import traffic



class Collector:
    """Receives datagrams on a port of its own until told to stop."""

    def __init__(self, port=0, family=socket.AF_INET):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
        self.socket.bind(("127.0.0.1" if family == socket.AF_INET else "::1", port))
        self.port = self.socket.getsockname()[1]
        self.datagrams, self.senders, self.times = [], set(), []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.receive)
        self.thread.start()

    def receive(self):
        while True:
            if select.select([self.socket], [], [], 0.05)[0]:
                data, sender = self.socket.recvfrom(65536)
                self.datagrams.append(data)
                self.senders.add(sender)
                self.times.append(time.monotonic())
            elif self.stopping.is_set():
                return

    def close(self):
        self.stopping.set()
        self.thread.join()
        self.socket.close()

    def reader(self):
        self.close()
        reader = ipfix.Reader()
        for datagram in self.datagrams:
            reader.message(datagram)
        return reader


class Udp(probe.Case):
    def many(self, flows):
        c = traffic.Capture()
        for i in range(flows):
            c.udp(traffic.START + i * 1000, traffic.Host(i // 60000 + 1), traffic.Host(9), 4, 1 + i % 60000, 2000, 10)
        return c

    def export(self, c, *more, family=socket.AF_INET):
        collector = Collector(family=family)
        host = "127.0.0.1" if family == socket.AF_INET else "[::1]"
        result = self.run_probe(
            "--read",
            self.path("in.pcap", traffic.pcap(c.frames)),
            "-collector",
            f"{host}:{collector.port}",
            "--counters",
            self.path("counters.json"),
            *probe.FOREVER,
            *more,
        )
        reader = collector.reader()
        self.assertEqual(result.status, 0, result.err)
        self.assert_identity(result.counters())
        return collector, reader, result

    def test_a_collector_gets_every_record_with_its_true_figures(self):
        c = traffic.standard()
        for family in (socket.AF_INET, socket.AF_INET6):
            collector, reader, result = self.export(c, family=family)
            self.assertEqual(
                {ipfix.key(r): r["packetDeltaCount"] for r in reader.records},
                {k: f["packetDeltaCount"] for k, f in c.flows.items()},
            )
            self.assertEqual(result.out, "", "with a collector nothing is printed")
            self.assertEqual(len(collector.senders), 1, "one socket")

    def test_templates_and_sampling_come_before_the_first_record_in_one_datagram(self):
        _, reader, _ = self.export(traffic.standard())
        sets = ipfix.first_with_flows(reader)
        sampling = next(o for o in reader.options if "samplingPacketInterval" in o)["_template"]
        flows = next(i for i, s in enumerate(sets) if s in (256, 257))
        for needed in (2, 3, sampling):
            self.assertLess(sets.index(needed), flows)

    def test_a_datagram_fits_the_mtu(self):
        for mtu in (576, 1280):
            collector, reader, _ = self.export(self.many(500), "--set", f"export.mtu={mtu}")
            self.assertLessEqual(max(map(len, collector.datagrams)), mtu - 28)
            self.assertEqual(len(reader.records), 500)

    def test_a_burst_at_the_end_arrives_whole(self):
        collector, reader, _ = self.export(self.many(20_000))
        self.assertEqual(len(reader.records), 20_000)
        self.assertGreater(len(collector.datagrams), 100)

    def test_templates_come_again_after_so_many_messages(self):
        collector, _, _ = self.export(self.many(3000), "--set", "export.template_messages=10")
        with_templates = [i for i, d in enumerate(collector.datagrams) if ipfix.has_templates(d)]
        self.assertEqual(with_templates[0], 0)
        self.assertGreaterEqual(len(with_templates), len(collector.datagrams) // 11)
        for a, b in zip(with_templates, with_templates[1:]):
            self.assertLessEqual(b - a, 11)

    def test_with_nobody_listening_everything_is_accounted_for(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        began = time.monotonic()
        result = self.run_probe(
            "--read",
            self.path("in.pcap", traffic.pcap(self.many(3000).frames)),
            "-collector",
            f"127.0.0.1:{port}",
            "--counters",
            self.path("counters.json"),
            *probe.FOREVER,
        )
        self.assertEqual(result.status, 0, result.err)
        self.assert_identity(result.counters())
        self.assertEqual(result.counters()["packets_received"], 3000)
        self.assertLess(time.monotonic() - began, 30)

    def test_two_collectors_get_the_same(self):
        c, first, second = traffic.standard(), Collector(), Collector()
        result = self.run_probe(
            "--read",
            self.path("in.pcap", traffic.pcap(c.frames)),
            "--set",
            f"export.collectors=udp://127.0.0.1:{first.port},udp://127.0.0.1:{second.port}",
            *probe.FOREVER,
        )
        self.assertEqual(result.status, 0, result.err)
        readers = [first.reader(), second.reader()]
        self.assertEqual(len(readers[0].records), len(c.flows))
        self.assertEqual(sorted(map(ipfix.key, readers[0].records)), sorted(map(ipfix.key, readers[1].records)))


class Tcp(probe.Case):
    def test_a_tcp_collector_gets_one_stream_of_whole_messages(self):
        c = traffic.standard()
        with socket.create_server(("127.0.0.1", 0)) as server:
            chunks = []

            def serve():
                server.settimeout(probe.LIMIT)
                peer, _ = server.accept()
                with peer:
                    while chunk := peer.recv(65536):
                        chunks.append(chunk)

            thread = threading.Thread(target=serve)
            thread.start()
            result = self.run_probe(
                "--read",
                self.path("in.pcap", traffic.pcap(c.frames)),
                "--set",
                f"export.collectors=tcp://127.0.0.1:{server.getsockname()[1]}",
                *probe.FOREVER,
            )
            thread.join()
        self.assertEqual(result.status, 0, result.err)
        reader = ipfix.read_file(self.path("stream", b"".join(chunks)))
        self.assertEqual(
            {ipfix.key(r): r["packetDeltaCount"] for r in reader.records},
            {k: f["packetDeltaCount"] for k, f in c.flows.items()},
        )


class Mappings(probe.Case):
    """The files that teach collectors our fields say the same as the program's list of fields."""

    SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../etc/collectors")

    def setUp(self):
        super().setUp()
        listed = re.findall(r"^(\w+) +99999/(\d+) +\w+ +(\d+) ", self.run_probe("--list-fields").out, re.M)
        self.fields = {name: (int(number), int(octets)) for name, number, octets in listed}
        self.assertEqual([self.fields[name][0] for name in traffic.SIX], [1, 2, 3, 4, 5, 6])
        self.assertLessEqual(set(range(107, 140)), {number for number, _ in self.fields.values()})

    def read(self, name):
        with open(os.path.join(self.SHIPPED, name), encoding="ascii") as file:
            return file.read()

    def test_goflow2_maps_every_field_by_its_number_and_shows_it(self):
        text = self.read("goflow2/mapping.yaml")
        mapped = re.findall(r"- field: (\d+)\n +penprovided: true\n +pen: 99999\n +destination: (\w+)\n", text)
        numbers = {name: number for name, (number, _) in self.fields.items()}
        self.assertEqual({name: int(number) for number, name in mapped}, numbers)
        declared = {n: int(i) for n, i in re.findall(r"- name: (\w+)\n +index: (\d+)\n +type: varint\n", text)}
        self.assertLessEqual({name: 2000 + number for name, number in numbers.items()}.items(), declared.items())
        shown = re.findall(r"^    - (\w+)$", text.split("  key:")[0], re.M)
        self.assertLessEqual(set(numbers), set(shown))
        self.assertEqual(len(shown), len(set(shown)))

    def test_nfacctd_knows_every_field_by_its_number_and_length_and_aggregates_it(self):
        lines = re.findall(
            r"^name=(\w+) field_type=99999:(\d+) len=(\d) semantics=u_int$", self.read("pmacct/primitives.lst"), re.M
        )
        self.assertEqual({name: (int(number), int(size)) for name, number, size in lines}, self.fields)
        aggregate = re.search(r"^aggregate: (.*)$", self.read("pmacct/nfacctd.conf"), re.M)[1].split(", ")
        self.assertLessEqual(set(self.fields), set(aggregate))


if __name__ == "__main__":
    probe.main()
