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
import struct
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
EXTENDED = ("--set", "export.fields=extended", "--set", "decode.tunnels=inner")
GOFLOW2 = None
KEY_NAMES = {"protocolIdentifier"}
KEY_NAMES |= {e + n for e in ("source", "destination") for n in ("IPv4Address", "IPv6Address", "TransportPort")}


def json_lines(path):
    """The whole lines of a file that a collector still writes: what comes while it is read waits for the next time."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        whole, _, _ = file.read().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


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


def with_tunnels():
    """The standard traffic, and packets in VXLAN, GTP-U, NVGRE and behind an MPLS label."""
    capture = traffic.standard()
    left, right = traffic.Host(200), traffic.Host(201)

    def inside(number):
        inner = traffic.Capture()
        inner.udp(0, traffic.Host(210 + number), traffic.Host(220 + number), 4, 7000 + number, 8000, 50 + number)
        capture.flows.update(inner.flows)
        return inner.frames[0][1]

    def udp(payload, port):
        return struct.pack("!HHHH", 5555, port, 8 + len(payload), 0) + payload

    def put(number, protocol, payload):
        at = traffic.START + (1200 + number) * traffic.MS
        capture.put(at, left, right, 4, capture.ip(left, right, 4, protocol, payload))

    put(1, 17, udp(struct.pack("!II", 0x08000000, 0x123456 << 8) + inside(1), 4789))
    packet = inside(2)[14:]
    put(2, 17, udp(struct.pack("!BBHI", 0x30, 0xFF, len(packet), 0xDEADBEEF) + packet, 2152))
    put(3, 47, struct.pack("!HHI", 0x2000, 0x6558, 0xABCDEF << 8 | 1) + inside(3))
    frame = inside(4)
    labelled = frame[:12] + struct.pack("!HI", 0x8847, 0x54321 << 12 | 0x140) + frame[14:]
    capture.frames.append((traffic.START + 1300 * traffic.MS, labelled))
    return capture.sorted()


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
        result = self.run_probe("--read", self.capture, "-collector", f"127.0.0.1:{PORT}", *probe.FOREVER, *more)
        self.assertEqual(result.status, 0, result.err)
        reader = sniffer.finish()
        self.assertEqual(len(reader.records), len(self.traffic.flows))
        self.sniffer = sniffer

    def extended(self):
        """Another capture, whose records the program tells as JSON with all fields: key -> record."""
        self.traffic = with_tunnels()
        self.capture = self.path("in.pcap", traffic.pcap(self.traffic.frames))
        result = self.run_probe("--read", self.capture, "--output", "json", *probe.FOREVER, *EXTENDED)
        self.assertEqual(result.status, 0, result.err)
        records = {ipfix.key(r): r for r in map(json.loads, result.out.splitlines())}
        self.assertEqual(sorted(records), sorted(self.traffic.flows))
        tunnels = sorted((r["tunnel_type"], r["tunnel_id"]) for r in records.values() if r["tunnel_type"])
        self.assertEqual(tunnels, [(1, 0x123456), (2, 0xABCDEF), (4, 0xDEADBEEF)])
        self.assertEqual(sum("tcp_state" in r for r in records.values()), sum(k[4] == 6 for k in records))
        return records

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

    def test_tshark_extended(self):
        records = self.extended()
        wire = self.path("wire.pcapng")
        tshark = self.background("tshark", "-i", "lo", "-f", f"udp port {PORT}", "-w", wire, "-q")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:  # so that no ICMP answers
            sink.bind(("127.0.0.1", PORT))
            probe.wait_for("tshark captures", lambda: probe.packet_sockets("lo") > 0, 30)
            self.export("--set", "export.mtu=1500", *EXTENDED)
        own = (
            "packetDeltaCount=packets octetDeltaCount=octets tcpControlBits=tcpflags flowEndReason=flow_end_reason "
            "flowId=flow_id flowDirection=direction biflowDirection=biflow_direction ipClassOfService=tos "
            "minimumTTL=ttl_min maximumTTL=ttl_max vlanId=vlanid dot1qCustomerVlanId=dot1q_customer_vlan_id "
            "ingressInterface=inputint egressInterface=outputint layer2SegmentId=layer2_segment_id "
            "tcpWindowScale=tcp_window_scale"
        )
        own = dict(pair.split("=") for pair in own.split())
        keys = ["srcaddr", "srcaddrv6", "dstaddr", "dstaddrv6", "srcport", "dstport", "protocol"]
        # By itself it takes no template of more than 60 fields.
        all_fields = ["-o", "cflow.max_template_fields:0"]
        decode = ["tshark", *all_fields, "-r", wire, "-T", "json", "-Y", "cflow"]

        def data_records(node, found):
            if isinstance(node, list) and all(isinstance(x, tuple) for x in node):
                if any(name == "cflow.srcport" for name, _ in node):
                    found.append(node)
                for _, value in node:
                    data_records(value, found)
            elif isinstance(node, list):
                for value in node:
                    data_records(value, found)

        def decoded():
            text = subprocess.run(decode, capture_output=True, text=True, check=False).stdout or "[]"
            found = []
            try:
                data_records(json.loads(text, object_pairs_hook=lambda pairs: pairs), found)
            except json.JSONDecodeError:
                return []
            return found

        probe.wait_for("tshark has written", lambda: len(decoded()) == len(records), 20)
        self.stop(tshark)
        seen = {}
        for pairs in decoded():
            one = {name.removeprefix("cflow."): value for name, value in pairs if isinstance(value, str)}
            source, source6, destination, destination6, sport, dport, protocol = (one.get(name) for name in keys)
            key = (source or source6, destination or destination6, int(sport), int(dport), int(protocol))
            record = records[key]
            private = [int(v.replace(":", ""), 16) for n, v in pairs if n == "cflow.enterprise_private_entry"]
            # This tshark is older than the registration of gtpuTEid, and shows what it does not know in the same way.
            ours = [v for n, v in record.items() if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+|gtpuTEid", n)]
            self.assertEqual(private, ours, key)
            for name, field in own.items():
                if name in record:
                    self.assertEqual(int(one[field], 0), record[name], (key, name))
            if "tcpOptions" in record:
                self.assertEqual(int(one["tcp_option_map"].replace(":", ""), 16), record["tcpOptions"], key)
            seen[key] = one
        self.assertEqual(sorted(seen), sorted(records))
        decode = ["tshark", *all_fields, "-r", wire, "-V", "-Y", "cflow"]
        text = subprocess.run(decode, capture_output=True, text=True, check=True).stdout
        self.assertNotRegex(text, r"(?i)malformed|unexpected flow sequence|no template found")

    def test_biflows(self):
        """The two records of a conversation that JSON has, in one record; ICMP and who got no answer by themselves."""
        records, file = self.extended(), self.path("out.ipfix")
        more = ("--output", "none", "--set", "export.biflow=true", *probe.FOREVER, *EXTENDED)
        result = self.run_probe("--read", self.capture, "--write-ipfix", file, *more)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(ipfix.read_file(file).messages > 1, True)  # raises on every breach of RFC 7011
        shown = subprocess.run(
            ["ipfixDump", "--in", file, "--rfc5610", "--data"], capture_output=True, text=True, check=True
        ).stdout
        left = dict(records)
        for block in shown.split("--- data record")[1:]:
            fields = re.findall(r"^\s+\((\d+)(?:/(\d+))?\)(?: \(S\))?\s*(\S+) : (.*)$", block, re.M)
            one = {name: value.strip() for _, _, name, value in fields}
            if "sourceTransportPort" not in one:
                continue
            for name in ("sourceIPv6Address", "destinationIPv6Address"):
                if name in one:
                    one[name] = str(ipaddress.ip_address(re.sub(r"\b0+(?=[0-9a-f])", "", one[name])))
            for name in KEY_NAMES & set(one):
                one[name] = int(one[name]) if one[name].isdigit() else one[name]
            key = ipfix.key(one)
            front, mate = left.pop(key), (key[1], key[0], key[3], key[2], key[4])
            self.assertEqual(one["packetDeltaCount"], str(front["packetDeltaCount"]), key)
            paired = key[4] in (6, 17) and mate in records
            self.assertEqual("reversePacketDeltaCount" in one, paired, key)
            if not paired:
                continue
            self.assertEqual((one["biflowDirection"], front["biflowDirection"]), ("1", 1), key)
            back = left.pop(mate)
            names = [n for _, _, n, _ in fields if n.startswith("reverse")]
            self.assertEqual(len(names), 48 if key[4] == 6 else 8, names)
            for name in names:
                # IANA's in RFC 5103's way, reverseOctetDeltaCount; ours with an underscore.
                plain = name.removeprefix("reverse_" if "_" in name else "reverse")
                plain = plain if "_" in name else plain[0].lower() + plain[1:]
                if plain in ("flowStartMilliseconds", "flowEndMilliseconds"):
                    self.assertEqual(milliseconds(one[name]), back[plain], key)
                elif plain in back:
                    self.assertEqual(one[name], str(back[plain]), (key, name))
        self.assertEqual(left, {})

    def test_nfdump_extended(self):
        records = self.extended()
        os.mkdir(self.path("nf"))
        nfcapd = self.background(
            "nfcapd", "-p", str(PORT), "-b", "127.0.0.1", "-w", self.path("nf"), "-t", "3600", port=PORT
        )
        self.export("--set", "export.mtu=1500", *EXTENDED)
        self.stop(nfcapd)
        line = next(x for x in self.log().splitlines() if x.startswith("Ident: 'none'") and "Flows: 0," not in x)
        figures = dict(re.findall(r"([A-Z][A-Za-z ]+): (\d+)", line))
        self.assertEqual(int(figures["Flows"]), len(records), line)
        self.assertEqual(int(figures["Bad Packets"]), 0, line)
        shown = subprocess.run(
            ["nfdump", "-R", self.path("nf"), "-o", "json"], capture_output=True, text=True, check=True
        ).stdout
        got = sorted(
            tuple(r[name] for name in "in_packets in_bytes src_tos input_snmp output_snmp direction src_vlan".split())
            for r in json.loads(shown)
        )
        names = ("packetDeltaCount", "octetDeltaCount", "ipClassOfService", "ingressInterface", "egressInterface")
        names += ("flowDirection", "vlanId")
        self.assertEqual(got, sorted(tuple(r[n] for n in names) for r in records.values()))
        labels = [r["mpls_1"] for r in json.loads(shown) if r["mpls_1"] != "0-0-0"]
        self.assertEqual(labels, [f"{0x54321}-0-1"])

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

    def nfacctd(self, *more):
        """Exports to nfacctd with the shipped files and returns its rows by key."""
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
        self.export(*more)
        flows = self.path("flows.json")

        written = len(self.traffic.flows)
        probe.wait_for("nfacctd has written", lambda: len(json_lines(flows)) >= written, 40)
        self.stop(nfacctd, signal.SIGINT)
        numbers, got = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}, {}
        for row in json_lines(flows):
            protocol = numbers.get(row["ip_proto"]) or int(row["ip_proto"])
            got[row["ip_src"], row["ip_dst"], row["port_src"], row["port_dst"], protocol] = row
        return got

    def test_nfacctd_extended(self):
        records = self.extended()
        got = self.nfacctd(*EXTENDED)
        self.assertEqual(sorted(got), sorted(records))
        own = dict(octetDeltaCount="bytes", packetDeltaCount="packets", tcpControlBits="tcp_flags", vlanId="vlan")
        own.update(ingressInterface="iface_in", egressInterface="iface_out", ipClassOfService="tos")
        own.update(sourceMacAddress="mac_src", destinationMacAddress="mac_dst")
        for key, record in records.items():
            row = got[key]
            for name, value in record.items():
                if name == "mplsTopLabelStackSection":
                    self.assertEqual(int(row["mpls_label_top"]), int(value, 16) >> 4, key)
                elif name in ("flowStartMilliseconds", "flowEndMilliseconds"):
                    seconds = row["timestamp_start" if "Start" in name else "timestamp_end"]
                    self.assertEqual(round(float(seconds) * 1000), value, key)
                elif name not in KEY_NAMES and not name.startswith("icmpTypeCode"):
                    # nfacctd writes the names of its own primitives and of others in small letters.
                    self.assertEqual(str(row[own.get(name, name.lower())]), str(value), (key, name))

    def test_nfacctd(self):
        got = {}
        for key, row in self.nfacctd().items():
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
            "--read", self.capture, "--write-ipfix", self.path("out.ipfix"), "--output", "none", *probe.FOREVER
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

    def test_ipfixdump_extended(self):
        records = self.extended()
        file = self.path("out.ipfix")
        into = ("--write-ipfix", file, "--output", "none")
        result = self.run_probe("--read", self.capture, *into, *probe.FOREVER, *EXTENDED)
        self.assertEqual(result.status, 0, result.err)
        shown = subprocess.run(
            ["ipfixDump", "--in", file, "--rfc5610", "--data"], capture_output=True, text=True, check=True
        ).stdout
        named, got = set(), {}
        for block in shown.split("--- data record")[1:]:
            fields = re.findall(r"^\s+\((\d+)(?:/(\d+))?\)(?: \(S\))?\s+(\S+) : (.*)$", block, re.M)
            if "sourceTransportPort" not in {name for _, _, name, _ in fields}:
                continue
            # This libfixbuf is older than the registration of 507.
            one = {"gtpuTEid" if number == "507" else name: value.strip() for number, _, name, value in fields}
            named |= {name for _, inner, name, _ in fields if inner}
            for name in ("sourceIPv6Address", "destinationIPv6Address"):
                if name in one:
                    one[name] = str(ipaddress.ip_address(re.sub(r"\b0+(?=[0-9a-f])", "", one[name])))
            for name in KEY_NAMES & set(one):
                one[name] = int(one[name]) if one[name].isdigit() else one[name]
            got[ipfix.key(one)] = one
        # The program's type records told it all of our names.
        listed = subprocess.run([probe.BINARY, "--list-fields"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(named, set(re.findall(r"^(\w+) +99999/", listed, re.M)))
        self.assertEqual(sorted(got), sorted(records))
        for key, record in records.items():
            for name, value in record.items():
                shown = got[key][name]
                if name in ("flowStartMilliseconds", "flowEndMilliseconds"):
                    self.assertEqual(milliseconds(shown), value, key)
                elif name == "gtpuTEid":
                    self.assertEqual(int(shown).to_bytes(4, sys.byteorder), value.to_bytes(4, "big"), key)
                elif name == "mplsTopLabelStackSection":
                    self.assertEqual(int(shown).to_bytes(3, sys.byteorder).hex(), value, key)
                else:
                    self.assertEqual(str(shown), str(value), (key, name))

    def goflow2(self, *more, listen=f"netflow://127.0.0.1:{PORT}"):
        """Exports to goflow2 with the shipped mapping and returns its rows."""
        if not GOFLOW2:
            self.skipTest("no goflow2 program was given")
        mapping, out = os.path.join(ROOT, "etc/collectors/goflow2/mapping.yaml"), self.path("flows.json")
        goflow2 = self.background(
            GOFLOW2,
            "-listen",
            listen,
            "-produce=sample",
            f"-mapping={mapping}",
            "-format=json",
            "-transport=file",
            f"-transport.file={out}",
            "-addr",
            "127.0.0.1:8080",
            port=PORT,
        )
        self.export(*more)

        written = len(self.traffic.flows)
        probe.wait_for("goflow2 has written", lambda: len(json_lines(out)) >= written, 20)
        self.stop(goflow2)
        self.assertNotRegex(self.log(), r'(?i)level=error|template error|"level":"error"')
        return json_lines(out)

    def test_goflow2_extended(self):
        records = self.extended()
        got = {}
        # Over such a path the templates fill a message by themselves: one worker keeps it before the next.
        listen = f"netflow://127.0.0.1:{PORT}?workers=1"
        for row in self.goflow2("--set", "export.mtu=1500", *EXTENDED, listen=listen):
            key = (row["src_addr"], row["dst_addr"], row["src_port"], row["dst_port"], row["proto"])
            self.assertNotIn(key, got)
            got[key] = row
        self.assertEqual(sorted(got), sorted(records))
        own = dict(octetDeltaCount="bytes", packetDeltaCount="packets", tcpControlBits="tcp_flags", vlanId="vlan_id")
        own.update(ingressInterface="in_if", egressInterface="out_if", ipClassOfService="ip_tos", minimumTTL="ip_ttl")
        own.update(sourceMacAddress="src_mac", destinationMacAddress="dst_mac")
        for key, record in records.items():
            row = got[key]
            for name, value in record.items():
                if name == "mplsTopLabelStackSection":
                    self.assertEqual(row["mpls_label"], [int(value, 16) >> 4], key)
                elif name.startswith("icmpTypeCode"):
                    self.assertEqual(row["icmp_type"] * 256 + row["icmp_code"], value, key)
                elif name in ("flowStartMilliseconds", "flowEndMilliseconds"):
                    nanoseconds = row["time_flow_start_ns" if "Start" in name else "time_flow_end_ns"]
                    self.assertEqual(nanoseconds // 1_000_000, value, key)
                elif name in own:
                    self.assertEqual(row[own[name]], value, (key, name))
                elif name not in KEY_NAMES:
                    self.assertEqual(row[name], value, (key, name))

    def test_goflow2(self):
        printed = self.run_probe("--read", self.capture, "--output", "json", *probe.FOREVER)
        got = {}
        for row in self.goflow2():
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
