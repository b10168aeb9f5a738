# SPDX-License-Identifier: Apache-2.0
"""Reads IPFIX and holds it against RFC 7011.  Knows the standard and the element names, not the probe.

Every breach of the standard is an exception: a reader that forgives proves nothing.
"""

import ipaddress
import struct

NAMES = {
    1: "octetDeltaCount",
    2: "packetDeltaCount",
    4: "protocolIdentifier",
    6: "tcpControlBits",
    7: "sourceTransportPort",
    8: "sourceIPv4Address",
    10: "ingressInterface",
    11: "destinationTransportPort",
    12: "destinationIPv4Address",
    27: "sourceIPv6Address",
    28: "destinationIPv6Address",
    34: "samplingInterval",
    56: "sourceMacAddress",
    80: "destinationMacAddress",
    136: "flowEndReason",
    149: "observationDomainId",
    152: "flowStartMilliseconds",
    153: "flowEndMilliseconds",
    305: "samplingPacketInterval",
    306: "samplingPacketSpace",
    82: "interfaceName",
}
SIX = {
    1: "min_rtt_us",
    2: "max_rtt_us",
    3: "avg_rtt_us",
    4: "retransmit_count",
    5: "min_tcp_window",
    6: "max_tcp_window",
}
ADDRESSES, MACS, TEXTS = (8, 12, 27, 28), (56, 80), (82,)


class Fault(Exception):
    pass


def require(condition, text):
    if not condition:
        raise Fault(text)


def value(pen, number, raw):
    if pen == 0 and number in ADDRESSES:
        return str(ipaddress.ip_address(raw))
    if pen == 0 and number in MACS:
        return ":".join("%02x" % octet for octet in raw)
    if pen == 0 and number in TEXTS:
        return raw.decode()
    return int.from_bytes(raw, "big")


class Reader:
    """One Transport Session.  records: dicts by element name; options: the same of Options Data Records."""

    def __init__(self, pen=99999, late=False):
        self.late = late  # joined a session that was going on
        self.pen, self.templates, self.records, self.options = pen, {}, [], []
        self.sequence = {}  # next expected, by Observation Domain
        self.messages = 0
        self.sets = []  # set ids of each message

    def name(self, pen, number):
        if pen == 0:
            return NAMES.get(number, f"ie{number}")
        return SIX.get(number, f"pen{pen}_{number}") if pen == self.pen else f"pen{pen}_{number}"

    def message(self, data):
        require(len(data) >= 16, "message shorter than its header")
        version, length, self.export_time, sequence, domain = struct.unpack_from("!HHIII", data)
        require(version == 10, f"version {version}")
        require(length == len(data), f"length {length} of {len(data)}")
        self.sets.append([])
        expected = self.sequence.setdefault(domain, sequence if self.late else 0)
        require(sequence == expected, f"sequence {sequence}, expected {expected}")
        at, before = 16, len(self.records) + len(self.options)
        while at < length:
            require(length - at >= 4, "set header cut off")
            set_id, size = struct.unpack_from("!HH", data, at)
            require(4 <= size <= length - at, f"set length {size}")
            self.sets[-1].append(set_id)
            body = data[at + 4 : at + size]
            if set_id in (2, 3):
                self.template_set(domain, body, set_id == 3)
            else:
                require(set_id >= 256, f"set id {set_id}")
                require((domain, set_id) in self.templates, f"data of set {set_id} before its template")
                self.data_set(domain, set_id, body)
            at += size
        self.messages += 1
        self.sequence[domain] = (sequence + len(self.records) + len(self.options) - before) % 2**32

    def template_set(self, domain, body, options):
        at = 0
        while len(body) - at >= 4:
            template, count = struct.unpack_from("!HH", body, at)
            at += 4
            require(template >= 256 and count > 0, f"template {template} of {count} fields")
            scope = 0
            if options:
                (scope,) = struct.unpack_from("!H", body, at)
                at += 2
                require(0 < scope <= count, f"scope count {scope}")
            fields = []
            for _ in range(count):
                number, size = struct.unpack_from("!HH", body, at)
                at, pen = at + 4, 0
                if number & 0x8000:
                    (pen,) = struct.unpack_from("!I", body, at)
                    at += 4
                fields.append((pen, number & 0x7FFF, size))
            known = self.templates.setdefault((domain, template), (scope, fields))
            require(known == (scope, fields), f"template {template} changed")
        require(not any(body[at:]), "padding is not zero")

    def data_set(self, domain, template, body):
        scope, fields = self.templates[domain, template]
        least, at = sum(1 if size == 65535 else size for _, _, size in fields), 0
        require(len(body) >= least, "empty data set")
        while len(body) - at >= least:
            record = {"_template": template, "_domain": domain}
            for pen, number, size in fields:
                if size == 65535:
                    size, at = body[at], at + 1
                    if size == 255:
                        size, at = struct.unpack_from("!H", body, at)[0], at + 2
                require(at + size <= len(body), "record cut off")
                record[self.name(pen, number)] = value(pen, number, body[at : at + size])
                at += size
            (self.options if scope else self.records).append(record)
        require(not any(body[at:]) and len(body) - at < 4, "padding")


def first_with_flows(reader, templates=(256, 257)):
    """The set ids of the first message with flow records."""
    return next(sets for sets in reader.sets if any(i in templates for i in sets))


def has_templates(data):
    """Whether a message carries Template or Options Template Sets."""
    at, found = 16, False
    while at + 4 <= len(data):
        set_id, size = struct.unpack_from("!HH", data, at)
        require(size >= 4, "set length")
        found, at = found or set_id in (2, 3), at + size
    return found


def read_file(path, pen=99999):
    reader = Reader(pen)
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        require(len(data) - at >= 16, "file ends inside a message header")
        (length,) = struct.unpack_from("!H", data, at + 2)
        require(16 <= length <= len(data) - at, f"message length {length}")
        reader.message(data[at : at + length])
        at += length
    return reader


def key(record):
    source = record.get("sourceIPv4Address") or record["sourceIPv6Address"]
    destination = record.get("destinationIPv4Address") or record["destinationIPv6Address"]
    return (
        source,
        destination,
        record["sourceTransportPort"],
        record["destinationTransportPort"],
        record["protocolIdentifier"],
    )
