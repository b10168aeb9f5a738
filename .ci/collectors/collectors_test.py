# SPDX-License-Identifier: Apache-2.0
"""Real collectors on the loopback interface of a private namespace.

Every number that they show is compared with what was in the capture.

collectors_test.py PROGRAM [GOFLOW2]: without the path of a goflow2 program its test is left out, and says so.
"""

import collections
import datetime
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "test/system"))
import ipfix  # noqa: E402
import probe  # noqa: E402
import traffic  # noqa: E402

PORT = 2055
FOREVER = ("--set", "export.active_timeout=1000000s", "--set", "export.inactive_timeout=1000000s")
GOFLOW2 = None


def milliseconds(text):
    """Milliseconds since 1970 of `Nov 14, 2023 22:13:20.004000000 UTC`, `2023-11-14 22:13:20.004` and the like."""
    text = text.replace("T", " ").removesuffix(" UTC").removesuffix(" U C")
    text = re.sub(r"(\.\d{6})\d*$", r"\1", text)
    for form in ("%Y-%m-%d %H:%M:%S.%f", "%b %d, %Y %H:%M:%S.%f"):
        try:
            parsed = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc)
            return round(parsed.timestamp() * 1000)
        except ValueError:
            pass
    raise ValueError(text)


class Sniffer:
    """What really went over the wire to the port, read by our own reader, which raises on every fault."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.socket.bind(("lo", 0x0800))
        self.socket.settimeout(0.2)
        self.messages, self.stopping = [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            try:
                frame, (_, _, kind, _, _) = self.socket.recvfrom(70000)
            except TimeoutError:
                if self.stopping.is_set():
                    return
                continue
            if kind != 4 and frame[23] == 17 and int.from_bytes(frame[36:38], "big") == PORT:  # not PACKET_OUTGOING
                self.messages.append(frame[42:])

    def finish(self):
        self.stopping.set()
        self.thread.join()
        self.socket.close()
        reader, self.with_options = ipfix.Reader(), []
        for message in self.messages:
            before = len(reader.options)
            reader.message(message)
            self.with_options.append(len(reader.options) > before)
        return reader


class Collectors(probe.Case):
    def setUp(self):
        super().setUp()
        self.traffic = traffic.standard()
        self.capture = self.path("in.pcap", traffic.pcap(self.traffic.frames))

    def background(self, *command, port=None, **more):
        with open(self.path("collector.log"), "wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder, **more
            )

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()

        self.addCleanup(end)
        if port:
            wanted = f":{port:04X} "

            def listening():
                table = ""
                for name in ("udp", "udp6"):
                    with open(f"/proc/net/{name}", encoding="ascii") as file:
                        table += file.read()
                return process.poll() is not None or wanted in table

            probe.wait_for(f"{command[0]} listens", listening, 30)
            self.assertIsNone(process.poll(), self.log())
        return process

    def log(self):
        with open(self.path("collector.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def export(self, *more):
        """Runs the program against the collector; what was on the wire is whole and equal to the capture."""
        sniffer = Sniffer()
        result = self.run_probe("--read", self.capture, "-collector", f"127.0.0.1:{PORT}", *FOREVER, *more)
        self.assertEqual(result.status, 0, result.err)
        reader = sniffer.finish()
        self.assertEqual(len(reader.records), len(self.traffic.flows))
        self.sniffer = sniffer

    def stop(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        process.wait(30)

    def assert_flows(self, got, names):
        """`got`: flow -> figures under our names; every flow of the capture is there, and nothing else."""
        self.assertEqual(sorted(got), sorted(self.traffic.flows))
        for key, flow in self.traffic.flows.items():
            self.assertEqual({n: got[key][n] for n in names}, {n: flow[n] for n in names}, key)

    def test_tshark(self):
        tshark = self.background("tshark", "-i", "lo", "-f", f"udp port {PORT}", "-w", self.path("wire.pcapng"), "-q")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:  # so that no ICMP answers
            sink.bind(("127.0.0.1", PORT))
            probe.wait_for("tshark captures", lambda: probe.packet_sockets("lo") > 0, 30)
            self.export()
        decode = ["tshark", "-r", self.path("wire.pcapng"), "-T", "json", "-Y", "cflow"]

        def decoded():
            text = subprocess.run(decode, capture_output=True, text=True, check=False).stdout or "[]"
            found = []
            try:
                collect(json.loads(text, object_pairs_hook=lambda pairs: pairs), found)
            except json.JSONDecodeError:
                return []
            return found

        def collect(node, found):
            if isinstance(node, list) and all(isinstance(x, tuple) for x in node):
                names = [name for name, _ in node]
                if "cflow.srcport" in names:
                    found.append(node)
                for _, value in node:
                    collect(value, found)
            elif isinstance(node, list):
                for value in node:
                    collect(value, found)

        probe.wait_for("tshark has written", lambda: len(decoded()) == len(self.traffic.flows), 20)
        self.stop(tshark)
        got = {}
        for pairs in decoded():
            flat = [(n, v) for n, v in pairs if isinstance(v, str)]
            flat += [inner for n, v in pairs if n == "cflow.timedelta_tree" for inner in v]
            one, private = dict(flat), [v for n, v in flat if n == "cflow.enterprise_private_entry"]
            key = (
                one.get("cflow.srcaddr") or one["cflow.srcaddrv6"],
                one.get("cflow.dstaddr") or one["cflow.dstaddrv6"],
                int(one["cflow.srcport"]),
                int(one["cflow.dstport"]),
                int(one["cflow.protocol"]),
            )
            self.assertEqual(len(private), 6, pairs)
            got[key] = dict(
                zip(traffic.SIX, (int(v.replace(":", ""), 16) for v in private)),
                packetDeltaCount=int(one["cflow.packets"]),
                octetDeltaCount=int(one["cflow.octets"]),
                tcpControlBits=int(one["cflow.tcpflags"], 16),
                sourceMacAddress=one["cflow.srcmac"],
                destinationMacAddress=one["cflow.dstmac"],
                flowStartMilliseconds=milliseconds(one["cflow.abstimestart"]),
                flowEndMilliseconds=milliseconds(one["cflow.abstimeend"]),
            )
        self.assert_flows(got, next(iter(self.traffic.flows.values())).keys())
        text = subprocess.run(decode[:3] + ["-V", "-Y", "cflow"], capture_output=True, text=True, check=True).stdout
        self.assertIn("pen: ", text)
        self.assertNotRegex(text, r"(?i)malformed|unexpected flow sequence|no template found")

    def test_nfdump(self):
        os.mkdir(self.path("nf"))
        for mtu, name in ((65535, "one message"), (900, "many messages")):
            with self.subTest(name):
                for file in os.listdir(self.path("nf")):
                    os.remove(os.path.join(self.path("nf"), file))
                nfcapd = self.background(
                    "nfcapd", "-p", str(PORT), "-b", "127.0.0.1", "-w", self.path("nf"), "-t", "3600", port=PORT
                )
                self.export("--set", f"export.mtu={mtu}")
                self.stop(nfcapd)
                line = next(
                    x for x in self.log().splitlines() if x.startswith("Ident: 'none'") and "Flows: 0," not in x
                )
                figures = dict(re.findall(r"([A-Z][A-Za-z ]+): (\d+)", line))
                flows = self.traffic.flows.values()
                self.assertEqual(int(figures["Flows"]), len(flows), line)
                self.assertEqual(int(figures["Packets"]), self.traffic.packets(), line)
                self.assertEqual(int(figures["Bytes"]), sum(f["octetDeltaCount"] for f in flows), line)
                self.assertEqual(int(figures["Bad Packets"]), 0, line)
                # This nfcapd leaves Options Data Records out of its count, RFC 7011 3.1 does not: it misses a beat
                # after each message that carried some, and nowhere else.
                options = sum(self.sniffer.with_options[:-1])
                self.assertEqual(int(figures["Sequence Errors"]), options, line)
                self.assertIn("packet interval: 1, packet space: 0", self.log())
        shown = subprocess.run(
            ["nfdump", "-R", self.path("nf"), "-o", "json"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TZ": "UTC"},
        ).stdout
        got = {}
        for row in json.loads(shown):
            protocol = row["proto"]
            flags = sum(
                bit
                for letter, bit in (("F", 1), ("S", 2), ("R", 4), ("P", 8), ("A", 16))
                if letter in row.get("tcp_flags", "")
            )
            # ICMP: nfdump shows type and code in place of the destination port.
            dport = row.get("dst_port", row.get("icmp_type", 0) * 256 + row.get("icmp_code", 0))
            key = (
                row.get("src4_addr") or row["src6_addr"],
                row.get("dst4_addr") or row["dst6_addr"],
                row.get("src_port", 0),
                dport,
                protocol,
            )
            got[key] = dict(
                packetDeltaCount=row["in_packets"],
                octetDeltaCount=row["in_bytes"],
                tcpControlBits=flags,
                flowStartMilliseconds=milliseconds(row["first"]),
                flowEndMilliseconds=milliseconds(row["last"]),
                sourceMacAddress=row["in_src_mac"],
                destinationMacAddress=row["in_dst_mac"],
            )
        self.assert_flows(
            got,
            (
                "packetDeltaCount",
                "octetDeltaCount",
                "tcpControlBits",
                "flowStartMilliseconds",
                "flowEndMilliseconds",
                "sourceMacAddress",
                "destinationMacAddress",
            ),
        )

    def test_nfacctd(self):
        shipped = os.path.join(ROOT, "etc/collectors/pmacct")
        with open(os.path.join(shipped, "nfacctd.conf"), encoding="ascii") as file:
            text = file.read()
        # The file as shipped; only the places on disk, the period and the address are the test's.
        for old, new in (
            ("/etc/pmacct/primitives.lst", os.path.join(shipped, "primitives.lst")),
            ("/var/log/pmacct/flows.json", self.path("flows.json")),
            ("print_refresh_time: 60", "print_refresh_time: 10"),
        ):
            self.assertIn(old, text)
            text = text.replace(old, new)
        text += "nfacctd_ip: 127.0.0.1\ntimestamps_since_epoch: true\n"
        nfacctd = self.background("nfacctd", "-f", self.path("nfacctd.conf", text), port=PORT)
        # The port is open before the plugin that prints is: what comes between is lost.
        probe.wait_for("nfacctd's plugin works", lambda: "object handlers" in self.log(), 30)
        self.export()
        flows = self.path("flows.json")

        def rows():
            if not os.path.exists(flows):
                return []
            with open(flows, encoding="ascii") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]

        probe.wait_for("nfacctd has written", lambda: len(rows()) >= len(self.traffic.flows), 40)
        self.stop(nfacctd, signal.SIGINT)
        numbers, got = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}, {}
        for row in rows():
            protocol = numbers.get(row["ip_proto"]) or int(row["ip_proto"])
            key = (row["ip_src"], row["ip_dst"], row["port_src"], row["port_dst"], protocol)
            got[key] = dict(
                {name: int(row[name]) for name in traffic.SIX},
                packetDeltaCount=row["packets"],
                octetDeltaCount=row["bytes"],
                tcpControlBits=int(row["tcp_flags"]),
                sourceMacAddress=row["mac_src"],
                destinationMacAddress=row["mac_dst"],
                flowStartMilliseconds=round(float(row["timestamp_start"]) * 1000),
                flowEndMilliseconds=round(float(row["timestamp_end"]) * 1000),
            )
        self.assert_flows(got, next(iter(self.traffic.flows.values())).keys())

    def test_ipfixdump(self):
        result = self.run_probe(
            "--read", self.capture, "--write-ipfix", self.path("out.ipfix"), "--output", "none", *FOREVER
        )
        self.assertEqual(result.status, 0, result.err)
        shown = subprocess.run(
            ["ipfixDump", "--in", self.path("out.ipfix"), "--data"], capture_output=True, text=True, check=True
        ).stdout
        got = {}
        for block in shown.split("--- data record")[1:]:
            fields = re.findall(r"^\s+\((\d+)(?:/(\d+))?\)(?: \(S\))?\s+(\S+) : (.*)$", block, re.M)
            one = {name: value.strip() for _, _, name, value in fields}
            if "sourceTransportPort" not in one:
                continue
            source, destination = (
                one.get(end + "IPv4Address") or one[end + "IPv6Address"] for end in ("source", "destination")
            )
            key = (
                str(ipaddress.ip_address(re.sub(r"\b0+(?=[0-9a-f])", "", source))),
                str(ipaddress.ip_address(re.sub(r"\b0+(?=[0-9a-f])", "", destination))),
                int(one["sourceTransportPort"]),
                int(one["destinationTransportPort"]),
                int(one["protocolIdentifier"]),
            )
            # Elements that ipfixDump does not know are octets to it, printed as a number in this machine's order.
            private = {int(number): (name, value.strip()) for pen, number, name, value in fields if pen == "99999"}
            sizes = dict(zip(range(1, 7), (4, 4, 4, 4, 2, 2)))
            six = [
                (
                    int(v)
                    if n != "_alienInformationElement"
                    else int.from_bytes(int(v).to_bytes(sizes[i], sys.byteorder), "big")
                )
                for i, (n, v) in sorted(private.items())
            ]
            self.assertEqual(len(six), 6, block)
            got[key] = dict(
                zip(traffic.SIX, six),
                packetDeltaCount=int(one["packetDeltaCount"]),
                octetDeltaCount=int(one["octetDeltaCount"]),
                tcpControlBits=int(one["tcpControlBits"]),
                sourceMacAddress=one["sourceMacAddress"],
                destinationMacAddress=one["destinationMacAddress"],
                flowStartMilliseconds=milliseconds(one["flowStartMilliseconds"]),
                flowEndMilliseconds=milliseconds(one["flowEndMilliseconds"]),
            )
        self.assert_flows(got, next(iter(self.traffic.flows.values())).keys())
        stats = subprocess.run(
            ["ipfixDump", "--in", self.path("out.ipfix"), "--stats"], capture_output=True, text=True, check=True
        )
        self.assertNotRegex(stats.stderr, r"(?i)error|warn|fail")

    def test_goflow2(self):
        if not GOFLOW2:
            self.skipTest("no goflow2 program was given")
        mapping, out = os.path.join(ROOT, "etc/collectors/goflow2/mapping.yaml"), self.path("flows.json")
        goflow2 = self.background(
            GOFLOW2,
            "-listen",
            f"netflow://127.0.0.1:{PORT}",
            "-produce=sample",
            f"-mapping={mapping}",
            "-format=json",
            "-transport=file",
            f"-transport.file={out}",
            "-addr",
            "127.0.0.1:8080",
            port=PORT,
        )
        printed = self.run_probe("--read", self.capture, "--output", "json", *FOREVER)
        self.export()

        def rows():
            if not os.path.exists(out):
                return []
            with open(out, encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]

        probe.wait_for("goflow2 has written", lambda: len(rows()) >= len(self.traffic.flows), 20)
        self.stop(goflow2)
        got = {}
        for row in rows():
            self.assertEqual(row["type"], "IPFIX")
            self.assertEqual(row["sampling_rate"], 1, "without it every chart shows zero")
            self.assertEqual(row["observation_domain_id"], 1)
            self.assertEqual(row["in_if"], 1)
            key = (row["src_addr"], row["dst_addr"], row["src_port"], row["dst_port"], row["proto"])
            self.assertNotIn(key, got)
            got[key] = dict(
                {name: row[name] for name in traffic.SIX},
                packetDeltaCount=row["packets"],
                octetDeltaCount=row["bytes"],
                tcpControlBits=row["tcp_flags"],
                sourceMacAddress=row["src_mac"],
                destinationMacAddress=row["dst_mac"],
                flowStartMilliseconds=row["time_flow_start_ns"] // 1_000_000,
                flowEndMilliseconds=row["time_flow_end_ns"] // 1_000_000,
            )
        names = next(iter(self.traffic.flows.values())).keys()
        self.assert_flows(got, names)
        # And what the program itself prints as JSON says the same, field by field.
        own = collections.OrderedDict((ipfix.key(r), r) for r in map(json.loads, printed.out.splitlines()))
        self.assertEqual(
            {k: {n: r[n] for n in names} for k, r in own.items()}, {k: {n: r[n] for n in names} for k, r in got.items()}
        )
        self.assertNotRegex(self.log(), r'(?i)level=error|template error|"level":"error"')


if __name__ == "__main__":
    probe.enter_namespace()
    probe.ip("link", "set", "lo", "up")
    if len(sys.argv) > 2 and not sys.argv[2].startswith("-") and os.path.exists(sys.argv[2]):
        GOFLOW2 = os.path.abspath(sys.argv.pop(2))
    for tool in ("tshark", "nfcapd", "nfdump", "nfacctd", "ipfixDump"):
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin"):
            probe.skip(f"{tool} is missing")
    os.environ["PATH"] += ":/usr/sbin"
    probe.main()
