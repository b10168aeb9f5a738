# SPDX-License-Identifier: Apache-2.0
"""Packets with a known answer: writes captures and says what a flow meter must make of them.

Nothing here looks at the probe.  Packets, octets, times and flags are counted while the frames are written; round-trip
times and repeats stand in the scripts below as the difference of two numbers on the same page.  Only struct is needed.
"""

import ipaddress
import struct
import sys

ETHERNET, RAW_IP, BSD_NULL, BSD_LOOP, SLL, SLL2 = 1, 101, 0, 108, 113, 276
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
FLAG = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "A": ACK, ".": 0}
MS = 1_000_000
START = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
SIX = ("min_rtt_us", "max_rtt_us", "avg_rtt_us", "retransmit_count", "min_tcp_window", "max_tcp_window")


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


class Host:
    def __init__(self, number):
        self.mac = "02:00:00:00:%02x:%02x" % (number >> 8, number & 255)
        self.v4 = str(ipaddress.ip_address("198.18.0.0") + number)  # RFC 2544 range
        self.v6 = str(ipaddress.ip_address("2001:db8::") + number)  # RFC 3849 range

    def address(self, version):
        return self.v4 if version == 4 else self.v6


class Capture:
    """Frames in order of time, and the flows in them: flows[(src, dst, sport, dport, protocol)] = expected figures."""

    def __init__(self):
        self.frames = []  # (nanoseconds, frame)
        self.flows = {}
        self.not_ip = 0
        self.ip_id = 0

    def count(self, ns, key, octets, source, destination, flags=0):
        ms = ns // MS
        flow = self.flows.setdefault(
            key,
            dict(
                packetDeltaCount=0,
                octetDeltaCount=0,
                flowStartMilliseconds=ms,
                flowEndMilliseconds=ms,
                tcpControlBits=0,
                sourceMacAddress=source.mac,
                destinationMacAddress=destination.mac,
                **dict.fromkeys(SIX, 0),
            ),
        )
        flow["packetDeltaCount"] += 1
        flow["octetDeltaCount"] += octets
        flow["flowStartMilliseconds"] = min(flow["flowStartMilliseconds"], ms)
        flow["flowEndMilliseconds"] = max(flow["flowEndMilliseconds"], ms)
        flow["tcpControlBits"] |= flags
        return flow

    def ip(self, source, destination, version, protocol, payload, more=False, offset=0, ip_id=None, total=None):
        """An IP packet; `total` pretends another payload length (a part of the payload is then not captured)."""
        a, b = (ipaddress.ip_address(h.address(version)).packed for h in (source, destination))
        if version == 6:
            return struct.pack("!IHBB", 0x60000000, total or len(payload), protocol, 64) + a + b + payload
        if ip_id is None:
            self.ip_id = ip_id = (self.ip_id % 65535) + 1
        head = (
            struct.pack(
                "!BBHHHBBH",
                0x45,
                0,
                20 + (total or len(payload)),
                ip_id,
                (0x2000 if more else 0) | offset // 8,
                64,
                protocol,
                0,
            )
            + a
            + b
        )
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload

    def put(self, ns, source, destination, version, packet, vlan=None):
        kind = 0x0800 if version == 4 else 0x86DD
        tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
        self.frames.append((ns, mac(destination.mac) + mac(source.mac) + tag + struct.pack("!H", kind) + packet))

    def arp(self, ns, host):
        self.frames.append(
            (ns, b"\xff" * 6 + mac(host.mac) + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + b"\0" * 20)
        )
        self.not_ip += 1

    @staticmethod
    def transport_checksum(source, destination, version, protocol, segment, at):
        a, b = (ipaddress.ip_address(h.address(version)).packed for h in (source, destination))
        total = checksum(a + b + struct.pack("!IHBB", len(segment), 0, 0, protocol) + segment)
        return segment[:at] + struct.pack("!H", total or 0xFFFF) + segment[at + 2 :]

    def udp(self, ns, source, destination, version, sport, dport, payload, vlan=None):
        segment = struct.pack("!HHHH", sport, dport, 8 + payload, 0) + b"\xa5" * payload
        packet = self.ip(
            source, destination, version, 17, self.transport_checksum(source, destination, version, 17, segment, 6)
        )
        self.put(ns, source, destination, version, packet, vlan)
        self.count(
            ns,
            (source.address(version), destination.address(version), sport, dport, 17),
            len(packet),
            source,
            destination,
        )

    def udp_in_two_fragments(self, ns, source, destination, sport, dport, payload):
        segment = struct.pack("!HHHH", sport, dport, 8 + payload, 0) + b"\x5a" * payload
        cut = (len(segment) // 2 + 7) // 8 * 8
        key = (source.v4, destination.v4, sport, dport, 17)
        for i, (part, offset) in enumerate(((segment[:cut], 0), (segment[cut:], cut))):
            packet = self.ip(source, destination, 4, 17, part, more=i == 0, offset=offset, ip_id=0x7777)
            self.put(ns + i * MS, source, destination, 4, packet)
            self.count(ns + i * MS, key, len(packet), source, destination)

    def ping(self, ns, source, destination, version, reply_after):
        protocol, kinds = (1, (8, 0)) if version == 4 else (58, (128, 129))
        for at, a, b, kind in ((ns, source, destination, kinds[0]), (ns + reply_after, destination, source, kinds[1])):
            message = struct.pack("!BBHHH", kind, 0, 0, 7, 1) + b"ping" * 14
            if version == 4:
                message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
            else:
                message = self.transport_checksum(a, b, 6, 58, message, 2)
            packet = self.ip(a, b, version, protocol, message)
            self.put(at, a, b, version, packet)
            self.count(at, (a.address(version), b.address(version), 0, kind * 256, protocol), len(packet), a, b)

    def tcp(
        self, ns, client, server, version, sport, dport, script, to_server=(0,) * 4, to_client=(0,) * 4, captured=None
    ):
        """Lines `ms way seq ack payload flags window`; then rtt min, max, avg in us and repeats of both records."""
        windows = {}
        for line in script.strip().splitlines():
            ms, way, seq, ack, size, flags, window = line.split("#")[0].split()
            a, b, p, q = (client, server, sport, dport) if way == ">" else (server, client, dport, sport)
            bits, size, at = sum(FLAG[c] for c in flags), int(size), ns + round(float(ms) * MS)
            segment = (
                struct.pack(
                    "!HHIIHHHH", p, q, int(seq) & 0xFFFFFFFF, int(ack) & 0xFFFFFFFF, 5 << 12 | bits, int(window), 0, 0
                )
                + b"\x3c" * size
            )
            segment = self.transport_checksum(a, b, version, 6, segment, 16)
            packet = self.ip(a, b, version, 6, segment[:captured], total=len(segment))
            self.put(at, a, b, version, packet)
            key = (a.address(version), b.address(version), p, q, 6)
            self.count(at, key, len(segment) + (20 if version == 4 else 40), a, b, bits)
            if not bits & RST:
                windows.setdefault(key, []).append(int(window))
        for a, b, p, q, figures in (
            (client, server, sport, dport, to_server),
            (server, client, dport, sport, to_client),
        ):
            key = (a.address(version), b.address(version), p, q, 6)
            if key in self.flows:
                seen = windows.get(key, [0])
                self.flows[key].update(zip(SIX, (*figures, min(seen), max(seen))))

    def sorted(self):
        self.frames.sort(key=lambda f: f[0])
        return self

    def packets(self):
        return sum(f["packetDeltaCount"] for f in self.flows.values())


# A whole connection.  To the server: 25 - 0, 70 - 40, 106 - 80 ms = 25, 30, 26: average 27.
# To the client: 30 - 25, 76 - 70, 113 - 106 ms = 5, 6, 7: average 6.
WHOLE = """
0    > 1000 0    0   S  64240
25   < 5000 1001 0   SA 65160
30   > 1001 5001 0   A  502
40   > 1001 5001 100 PA 502
70   < 5001 1101 500 PA 509
76   > 1101 5501 0   A  501
80   > 1101 5501 0   FA 501
106  < 5501 1102 0   FA 509
113  > 1102 5502 0   A  501
"""
# A segment is lost behind the tap and repeated after a timeout: one repeat, and no round trip from it (Karn).
# To the server: 20 (handshake) and 422 - 400 = 22 ms: average 21.  To the client: the handshake's 10 ms only.
LOSS = """
0    > 4294967295 0    0    S  64240   # the sequence number wraps in this connection
20   < 9000 0    0    SA 65160
30   > 0    9001 0    A  500
40   > 0    9001 1000 PA 500
340  > 0    9001 1000 PA 500
360  < 9001 1000 0    A  505
400  > 1000 9001 200  PA 499
422  < 9001 1200 0    A  505
"""
REFUSED = """
0    > 77 0  0 S  64240
3    < 0  78 0 RA 0
"""


def bulk(rounds):
    """A handshake of 20 and 10 ms, then rounds of one segment and its acknowledgment after 20 ms + round x 0.1 ms."""
    lines = ["0 > 100 0 0 S 64240", "20 < 200 101 0 SA 65160", "30 > 101 201 0 A 501"]
    at, seq, samples = 40.0, 101, [20_000]
    for i in range(rounds):
        lines.append(f"{at} > {seq} 201 1448 A 501")
        seq += 1448
        lines.append(f"{at + 20 + i / 10} < 201 {seq} 0 A {1000 + i}")
        samples.append(20_000 + 100 * i)
        at += 30 + i / 10
    return "\n".join(lines), (min(samples), max(samples), sum(samples) // len(samples), 0), (10_000, 10_000, 10_000, 0)


def standard(start=START):
    """A little of everything, in both versions of IP, 0 to 3 seconds after `start`."""
    c, hosts = Capture(), [Host(i) for i in range(1, 9)]
    script, up, down = bulk(40)
    for version in (4, 6):
        at = start + version * MS
        c.tcp(at, hosts[0], hosts[1], version, 40001, 443, WHOLE, (25_000, 30_000, 27_000, 0), (5_000, 7_000, 6_000, 0))
        c.tcp(
            at + 5 * MS,
            hosts[0],
            hosts[2],
            version,
            40002,
            443,
            LOSS,
            (20_000, 22_000, 21_000, 1),
            (10_000, 10_000, 10_000, 0),
        )
        c.tcp(at + 9 * MS, hosts[3], hosts[4], version, 40003, 23, REFUSED)
        c.tcp(at + 11 * MS, hosts[5], hosts[4], version, 40004, 8080, script, up, down)
        for i in range(20):
            c.udp(at + i * 50 * MS + 123_456, hosts[6], hosts[7], version, 5001, 5002, 40 + i)
            if i % 2:
                c.udp(at + i * 50 * MS + 7 * MS, hosts[7], hosts[6], version, 5002, 5001, 300)
        c.ping(at + 500 * MS, hosts[1], hosts[6], version, 12 * MS)
        c.udp(at + 600 * MS, hosts[2], hosts[7], version, 1000, 2000, 99, vlan=42)
    c.udp_in_two_fragments(start + 700 * MS, hosts[3], hosts[6], 3000, 4000, 2000)
    c.arp(start + 800 * MS, hosts[0])
    return c.sorted()


def relink(frame, link):
    """The frame under another link layer; the tag of a tagged frame goes with its Ethernet header."""
    kind, body = frame[12:14], frame[14:]
    if kind == b"\x81\x00":
        kind, body = body[2:4], body[4:]
    if link == ETHERNET:
        return frame
    if link == RAW_IP:
        return body
    if link in (BSD_NULL, BSD_LOOP):
        family = 2 if kind == b"\x08\x00" else 24 if kind == b"\x86\xdd" else 0x0806
        return struct.pack("=I" if link == BSD_NULL else "!I", family) + body
    if link == SLL:
        return struct.pack("!HHH", 0, 1, 6) + frame[6:12] + b"\0\0" + kind + body
    if link == SLL2:
        return kind + struct.pack("!HIHBB", 0, 3, 1, 0, 6) + frame[6:12] + b"\0\0" + body
    raise ValueError(link)


def pcap(frames, link=ETHERNET, nanoseconds=True, big_endian=False, snap=65535):
    e = ">" if big_endian else "<"
    out = [struct.pack(e + "IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)]
    for ns, frame in frames:
        data = relink(frame, link)
        fraction = ns % 1_000_000_000 // (1 if nanoseconds else 1000)
        out.append(
            struct.pack(e + "IIII", ns // 1_000_000_000, fraction, min(snap, len(data)), len(data)) + data[:snap]
        )
    return b"".join(out)


def pcapng(frames, link=ETHERNET):
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    resolution = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)  # if_tsresol: nanoseconds
    out = [
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack("<HHI", link, 0, 0) + resolution),
    ]
    for ns, frame in frames:
        data = relink(frame, link)
        out.append(block(6, struct.pack("<IIIII", 0, ns >> 32, ns & 0xFFFFFFFF, len(data), len(data)) + data))
    return b"".join(out)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FILE.pcap")
    with open(sys.argv[1], "wb") as written:
        written.write(pcap(standard().frames))
