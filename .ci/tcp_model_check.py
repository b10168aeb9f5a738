#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares tcp_vectors_tool with the executable definition of TCP metering, field by field.

tcp_model_check.py BIN DIR [--packets N] [--seed N] [--jobs N]: DIR holds tcp-model/ (the definition) and tcp-vectors/
(captures).  Runs over every V*.pcap and lab_*.pcap and over at least N (150000) packets of mutated and of random
streams, in seed mode and in strict mode, with snapshots and without.  Every record must be equal to the adapted model
below; the adapted model differs from the definition only where the prose of the definition decides otherwise, and each
place says which words those are.  A stream whose record differs from the unchanged model without having passed such a
place is an error too.  Last, the lines of the model that the streams reached are counted: 95 % at least.
"""

import argparse, collections, copy, glob, json, multiprocessing, os, random, shutil, struct, subprocess, sys, tempfile

parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("dir")
parser.add_argument("--packets", type=int, default=int(os.environ.get("MODEL_PACKETS", 150_000)))
parser.add_argument("--seed", type=int, default=20240229)
parser.add_argument("--jobs", type=int, default=os.cpu_count())
arguments = parser.parse_args()
BIN, DIR = arguments.bin, os.path.realpath(arguments.dir)
MODEL = os.path.join(DIR, "tcp-model")
sys.path.insert(0, MODEL)


class Lines:
    """Which lines of the model ran.  A function that ran whole is not looked at any more."""

    def __init__(self, path):
        self.path, self.all, self.left, self.seen = path, set(), {}, set()
        self.count(compile(open(path).read(), path, "exec"))

    def count(self, code):
        lines = {line for _, _, line in code.co_lines() if line}
        self.left[code.co_name, code.co_firstlineno] = lines
        self.all |= lines
        for inner in code.co_consts:
            if hasattr(inner, "co_lines"):
                self.count(inner)

    def trace(self, frame, event, argument):
        code = frame.f_code
        if code.co_filename != self.path:
            return None
        left = self.left.get((code.co_name, code.co_firstlineno))
        if not left:
            return None
        left.discard(frame.f_lineno)
        self.seen.add(frame.f_lineno)

        def line(frame, event, argument):
            left.discard(frame.f_lineno)
            self.seen.add(frame.f_lineno)
            return line

        return line


LINES = Lines(os.path.join(MODEL, "tcpmeter.py"))
sys.settrace(LINES.trace)
import pcapio, vectors
from tcpmeter import *

sys.settrace(None)

SIX = ["rtt_min", "rtt_max", "rtt_avg", "retrans", "win_min", "win_max", "state"]
FIELDS = SIX + [
    *("rtt_n", "srtt", "rttvar", "hs", "hs_total", "tsmin", "retrans_octets", "fast", "timeout", "spurious", "dsack"),
    *("ooo", "dup", "dupack", "synretx", "keepalive", "zwin", "zwin_us", "zwp", "swin_min", "swin_max", "mss", "ws"),
    *("ce", "ece", "cwr", "art_n", "art_sum", "art_max", "missed", "unique", "flight_max", "quality"),
]
HALF_AN_HOUR = 1_800_000_000
LONG_AGO = 1 << 30
# Bits of field 139 that the model knows: all but hole overflow, time-stamp sample, ambiguous, super-segments.
QUALITY = 0xFFFF & ~(1 << 4 | 1 << 5 | 1 << 6 | 1 << 12)


class Plain(Conv):
    """The unchanged definition, with a note of when an incarnation ended."""

    ended = None

    def restart(s):
        super().restart()
        s.restarts[-1].ended = s.t
        for D in s.dir:
            D.lost = False


def record(c, d, t):
    """What the record of direction d says at t, with the bounds of the exported types (section 7)."""
    D, X = c.dir[d], c.dir[1 - d]
    r = c.snapshot(d, t)
    D.lost = getattr(D, "lost", False) or r["missed"] > 0
    r["zwin_us"] = min(max(r["zwin_us"], 0), U32)
    r["art_max"] = min(r["art_max"], U32)
    r["ws"] = r["ws"] or 0
    bits = (D.seen and D.midstream, not X.seen, c.capdup, D.lost, 0, 0, 0, c.rst_from == d, c.rst_from == 1 - d)
    bits += (D.seen and not D.midstream, D.fin_end is not None, X.fin_end is not None, 0, D.sackok)
    bits += (D.ts_max is not None, c.client == d)
    r["quality"] = sum(1 << i for i, b in enumerate(bits) if b)
    return {f: r[f] for f in FIELDS}


class Adapted(Plain):
    """The definition where its prose decides otherwise than its model."""

    def __init__(s, cfg=None):
        super().__init__(cfg)
        s.causes = set()
        s.cache = [None, None]  # section 5: the SYN cache outlives the conversation
        s.newest = None

    def restart(s):
        old = Adapted(s.c)
        old.__dict__.update({k: v for k, v in s.__dict__.items() if k != "restarts"})
        old.ended = s.t
        s.restarts.append(old)
        s.causes = set(s.causes)
        prev = s.dir
        s.dir = [Dir(), Dir()]
        s.state = "New"
        s.rst_from = None
        s.hs_total = None
        s.client = None
        s.pending_syn = None
        for a, b in zip(s.dir, prev):
            a.fps = list(b.fps)
            a.last_us = b.last_us

    def insert(s, d, p):
        tv = p.ts[0] if p.ts else None
        e = s.cache[d]
        if e and e[0] == p.seq and p.t - e[1] <= s.c.syn_ttl_us:
            e[2] = p.t
            e[3] += 1
            e[5] = tv
        else:
            s.cache[d] = [p.seq, p.t, p.t, 1, tv, tv, p.n]
        return s.cache[d]

    def rest(s, p):
        """Section 2: after half an hour of silence nothing old is matched, and the silence is one of >= 180 ms."""
        s.causes.add("rest")
        for D in s.dir:
            D.ring, D.tstab, D.fps = [], [], []
            D.tx_us = D.tx_us if D.tx_us is None else p.t - LONG_AGO
            D.una_us = D.una_us if D.una_us is None else p.t - LONG_AGO
            for h in D.holes:
                h[2] = p.t - LONG_AGO
            if D.synack_n == 1 and D.hs is None:
                D.synack_n = 2

    def feed(s, p):
        D, X = s.dir[p.d], s.dir[1 - p.d]
        if s.newest is not None and abs(p.t - s.newest) >= HALF_AN_HOUR:
            s.rest(p)
        s.newest = p.t
        marks = D.i.ce
        keep = (
            D.win,
            D.zw_since,
            s.state,
            D.fin_end,
            D.fin_acked,
            X.fin_acked,
            D.i.zwin,
            D.i.zwin_us,
            D.i.swin_min,
            D.i.swin_max,
        )
        kind = super().feed(p)
        if s.dir[p.d] is not D:  # section 6: the packet belongs to the new conversation
            s.dir[p.d].i.ce += D.i.ce - marks
            D.i.ce = marks
        if kind == "invalid":  # P5: "return without any state change"; the model goes on with windows and state
            now = (
                D.win,
                D.zw_since,
                s.state,
                D.fin_end,
                D.fin_acked,
                X.fin_acked,
                D.i.zwin,
                D.i.zwin_us,
                D.i.swin_min,
                D.i.swin_max,
            )
            fresh = keep[2] == "New"
            if now != keep:
                s.causes.add("invalid")
            (
                D.win,
                D.zw_since,
                s.state,
                D.fin_end,
                D.fin_acked,
                X.fin_acked,
                D.i.zwin,
                D.i.zwin_us,
                D.i.swin_min,
                D.i.swin_max,
            ) = keep
            if fresh:
                s.state = "Established"  # P4 stands before P5
        return kind

    def on_data(s, p, D, X, d, seglen, last_us):
        clock = p.ts and D.ts_max is not None and sd(p.ts[0], D.ts_max) < 0
        tx, tab = D.tx_us, list(D.tstab)
        kind = super().on_data(p, D, X, d, seglen, last_us)
        if kind == "ooo" and not clock:  # section 3: "f1-f6 come out the same either way", so no hole
            s.causes.add("holes")  # may decide what is timed
            D.tx_us = p.t
            s.ts_put(D, p, False)
        if kind.endswith("-fast") and D.rto_point is not None:  # section 3: "never both at once"
            s.causes.add("recovery")
            D.rto_point = None
        return kind

    def one_way_handshake(s, p, D):
        e = s.cache[p.d]
        D.syn = e if e and D.isn == e[0] and getattr(D, "sent_syn", False) else None
        super().one_way_handshake(p, D)

    def on_syn(s, p, D, X, seglen):
        d, x = p.d, 1 - p.d
        c = s.c
        synack = bool(p.fl & ACK)
        fresh = not D.seen or D.midstream
        live = s.state in ("SynAckSeen", "Established")
        if synack and s.pending_syn is not None and s.pending_syn.d == x and sd(p.ack, s.pending_syn.seq) == 1:
            s.causes.add("pending")  # the proving SYN stays in the old record
            ps = s.pending_syn
            s.restart()
            D, X = s.dir[d], s.dir[x]
            fresh = True
            e = s.cache[x]
            e = e if e and e[0] == ps.seq and p.t - e[2] <= c.syn_ttl_us else None
            X.seen = True
            X.isn = ps.seq
            X.snd_max = (ps.seq + 1 + (e[6] if e else 0)) & M32
            X.ws = ps.ws
            X.sent_syn = True
            X.syn_len = e[6] if e else 0
            X.tx_us = e[2] if e else None
            X.ts_max = e[5] if e else None
            s.client = x
            s.state = "SynSent"
        elif D.seen and (D.midstream or D.isn != p.seq) and s.state != "New":
            if live:
                if not synack:
                    s.pending_syn = p
                    if not p.fl & FIN:
                        s.insert(d, p)
                return "syn-stray"
            s.causes.add("restart")  # the SYN cache knows more than the new conversation
            s.restart()
            D, X = s.dir[d], s.dir[x]
            fresh = True
        if fresh:
            D.seen = True
            D.midstream = False
            D.isn = p.seq
            D.una = None
            D.snd_max = (p.seq + seglen) & M32
            D.syn_had_ack = synack
            D.ts_max = p.ts[0] if p.ts else None
            D.ws = p.ws
            D.mss = p.mss
            D.sackok = p.sackok
            D.tsok = p.ts is not None
            D.i.unique += p.n
            D.syn_len = p.n
        elif synack and not D.syn_had_ack:
            D.syn_had_ack = True
        else:
            D.i.retrans += 1
            D.i.synretx += 1
            D.i.timeout += 1
        D.tx_us = p.t
        if not synack:
            if s.client is None:
                s.client = d
            if p.fl & FIN:
                s.causes.add("syn-fin")  # section 5: "Insert on SYN without ACK/RST/FIN"
            else:
                D.sent_syn = True
                if D.hs is None:
                    D.syn_len = s.insert(d, p)[6]
                elif D.isn == p.seq:
                    s.causes.add("used")  # section 5: "Delete on use"
            if s.state in ("New", "Closed", "FinWait"):
                s.state = "SynSent"
        else:
            if s.client is None:
                s.client = x
            y = s.cache[x]
            if X.hs is None and y and 1 <= sd(p.ack, y[0]) <= 1 + y[6] and p.t - y[2] <= c.syn_ttl_us:
                t0 = None
                if y[3] == 1:
                    t0 = y[1]
                elif p.ts and y[4] != y[5]:
                    t0 = y[1] if p.ts[1] == y[4] else y[2] if p.ts[1] == y[5] else None
                if t0 is not None and p.t - t0 <= c.syn_ttl_us:
                    if not (getattr(X, "sent_syn", False) and X.isn == y[0]):
                        s.causes.add("cache")  # W2: the conversation does not know the SYN
                    X.hs = max(1, p.t - t0)
                    s.sample(x, p.t - t0, kind="syn")
                    s.cache[x] = None
            if (
                getattr(X, "sent_syn", False)
                and 1 <= sd(p.ack, X.isn) <= 1 + X.syn_len
                and (X.una is None or sd(p.ack, X.una) > 0)
            ):
                X.una = p.ack
                X.una_us = p.t
            D.synack_n += 1
            D.synack_us = p.t
            D.ring = [] if D.synack_n > 1 else [(D.snd_max, p.t)]
            if s.state in ("New", "SynSent"):
                s.state = "SynAckSeen"
        i = D.i
        i.win_min = p.win if i.win_min is None else min(i.win_min, p.win)
        i.win_max = max(i.win_max, p.win)
        D.win = p.win
        return "syn"


# ---- captures


def load(path, cls, cfg, every=0):
    """(conversation, incarnation, direction) -> records; the conversations."""
    convs, parts, t = {}, collections.defaultdict(list), None
    for number, (t, buf, ol, link) in enumerate(pcapio.read(path), 1):
        r = pcapio.decode(buf, link)
        if not r:
            continue
        a, b, kw = r
        k = (a, b) if (a, b) in convs else (b, a) if (b, a) in convs else None
        if k is None:
            k = (a, b)
            convs[k] = cls(cfg)
            convs[k].stumbled = None
            convs[k].number = len(convs) - 1
        c = convs[k]
        if c.stumbled:
            continue
        try:
            c.feed(Pkt(t=t, d=0 if k == (a, b) else 1, **kw))
        except (TypeError, ValueError) as e:  # the model itself stumbles over holes that overlap round the circle
            c.stumbled = repr(e)
        if every and number % every == 0:
            for d in (0, 1):
                parts[c.number, len(c.restarts), d].append(record(c, d, t))
    for c in convs.values():
        for k, cc in enumerate(c.restarts + [c]):
            for d in (0, 1):
                parts[c.number, k, d].append(record(cc, d, t if cc is c else cc.ended))
    return parts, list(convs.values())


def options(p):
    o = b""
    if p.mss:
        o += struct.pack("!BBH", 2, 4, p.mss)
    if p.ws is not None:
        o += b"\x01" + struct.pack("!BBB", 3, 3, p.ws)
    if p.sackok:
        o += b"\x01\x01\x04\x02"
    if p.ts:
        o += b"\x01\x01" + struct.pack("!BBII", 8, 10, *p.ts)
    for_sack = (40 - len(o) - 4) // 8
    sack = p.sack[: max(0, for_sack)]
    if sack:
        o += b"\x01\x01" + struct.pack("!BB", 5, 2 + 8 * len(sack))
        o += b"".join(struct.pack("!II", left & M32, right & M32) for left, right in sack)
    return o + b"\x01" * (-len(o) % 4)


T0 = 1_700_000_000_000_000  # of every stream


def write(path, streams, t0=T0):
    """Headers only: the payload exists in the IP length, as with a short snap length.  A tuple per stream."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, packets in enumerate(streams):
            ends = [(struct.pack("!I", 0x0A000000 + number), 40000), (b"\xc0\x00\x02\x01", 80)]
            if number % 2:
                ends.reverse()
            for p in packets:
                (s, sp), (d, dp) = ends[p.d], ends[1 - p.d]
                o = options(p)
                n = min(p.n, 65535 - 40 - len(o))
                th = struct.pack("!HHIIBBHHH", sp, dp, p.seq, p.ack, (5 + len(o) // 4) << 4, p.fl, p.win, 0, 0) + o
                h = struct.pack("!BBHHHBBH", 0x45, p.ecn, 20 + len(th) + n, p.ipid, 0x4000, 64, 6, 0) + s + d
                e = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + h + th
                t = t0 + p.t
                f.write(struct.pack("<IIII", t // 1000000, t % 1000000, len(e), len(e) + n) + e)


# ---- streams


def stream(path):
    out = {}
    for t, buf, ol, link in pcapio.read(path):
        r = pcapio.decode(buf, link)
        if not r:
            continue
        a, b, kw = r
        k = (a, b) if (a, b) in out else (b, a) if (b, a) in out else (a, b)
        out.setdefault(k, []).append(Pkt(t=t, d=0 if k == (a, b) else 1, **kw))
    streams = []
    for s in out.values():
        start = s[0].t
        for p in s:
            p.t -= start
        streams.append(s)
    return streams


def shift(packets, offsets):
    for p in packets:
        p.seq = (p.seq + offsets[p.d]) & M32
        if p.fl & ACK:
            p.ack = (p.ack + offsets[1 - p.d]) & M32
        p.sack = tuple(((l + offsets[1 - p.d]) & M32, (r + offsets[1 - p.d]) & M32) for l, r in p.sack)


def mutate(packets, rnd):
    """Losses, repeats, copies, reordering, spoilt fields, missing beginnings and sides, other clocks and numbers."""
    packets = [copy.copy(p) for p in packets]
    if rnd.random() < 0.15:
        packets = packets[rnd.randrange(len(packets)) :]
    if rnd.random() < 0.08:
        side = rnd.randrange(2)
        packets = [p for p in packets if p.d != side]
    loss, repeat, twice, late, spoil = (rnd.choice((0, 0, 0.02, 0.1, 0.3)) for _ in range(5))
    out, no_id, no_ts = [], rnd.random() < 0.15, rnd.random() < 0.2
    for p in packets:
        if rnd.random() < loss:
            continue
        if no_id:
            p.ipid = 0
        if no_ts:
            p.ts = None
        if rnd.random() < late:
            p.t += rnd.choice((10, 500, 2_900, 3_100, 20_000, 60_000, 400_000))
        if rnd.random() < spoil:
            spoil_one(p, rnd)
        out.append(p)
        if rnd.random() < repeat:
            q = copy.copy(p)
            q.t += rnd.choice((5, 200, 1_000, 30_000, 179_999, 180_000, 250_000, 1_000_000, 3_000_000))
            if not no_id:
                q.ipid = rnd.randrange(1, 65536)
            if q.ts and rnd.random() < 0.7:
                q.ts = ((q.ts[0] + rnd.randrange(3)) & M32, q.ts[1])
            if rnd.random() < 0.2:
                q.n += rnd.choice((1, 100, 1000))
            out.append(q)
        if rnd.random() < twice:
            q = copy.copy(p)
            q.t += rnd.choice((0, 1, 50, 100, 101, 50_000, 100_000, 100_001))
            out.append(q)
    if rnd.random() < 0.95:
        out.sort(key=lambda p: p.t)
    if rnd.random() < 0.2:
        at = rnd.randrange(len(out) + 1)
        gap = rnd.choice((1_000_000, 31_000_000, 61_000_000, 600_000_000, 2_200_000_000, 4_300_000_000, 9_000_000_000))
        for p in out[at:]:
            p.t += gap
    if rnd.random() < 0.5:
        shift(out, [rnd.choice((0, 0xFFFFF000, 0x7FFFFF00, rnd.randrange(1 << 32))) for _ in range(2)])
    if out and rnd.random() < 0.2:  # the 32 bits of the clock wrap in the middle
        wrap = -T0 % (1 << 32) - rnd.choice(out).t + (1 << 32)
        for p in out:
            p.t += wrap
    return out


def spoil_one(p, rnd):
    k = rnd.randrange(11)
    if k == 0:
        p.seq = (p.seq + rnd.choice((-1, 1, -1000, 1000, 70_000, 2_000_000, 1 << 30, (1 << 31) - 1, 1 << 31))) & M32
    elif k == 1:
        p.ack = (p.ack + rnd.choice((-1, 1, -1000, 1000, 70_000, 1 << 30, (1 << 30) + 1, 1 << 31))) & M32
    elif k == 2:
        p.win = rnd.choice((0, 0, 1, 65535))
    elif k == 3:
        p.fl ^= rnd.choice((FIN, RST, ACK, PSH, SYN))
    elif k == 4:
        p.n = rnd.choice((0, 1, 1, 2, 1460, 60_000))
    elif k == 5:
        p.ts = None if p.ts else (rnd.randrange(1000), rnd.randrange(1000))
    elif k == 6 and p.ts:
        p.ts = ((p.ts[0] + rnd.choice((-50, -1, 1, 50))) & M32, p.ts[1])
    elif k == 7 and p.ts:
        p.ts = (p.ts[0], (p.ts[1] + rnd.choice((-50, -1, 1, 50))) & M32)
    elif k == 8:
        p.sack = ((p.ack - 10 & M32, p.ack), (p.ack + 100 & M32, p.ack + 200 & M32))[: rnd.randrange(1, 3)]
    elif k == 9:
        p.ecn = 3
        p.fl ^= rnd.choice((0, ECE, CWR, ECE | CWR))
    elif k == 10:
        left = (p.ack + rnd.choice((100, 1000, 2000))) & M32
        p.sack = ((left + 10 & M32, left + 20 & M32), (left, left + 100 & M32))[rnd.randrange(2) :]


def wild(rnd):
    """Everything at random in a small world, so that rules meet each other."""
    out, t, ts = [], 0, [rnd.randrange(1 << 32), rnd.randrange(1 << 32)]
    isn = [rnd.choice((1000, M32 - 3)), rnd.choice((5000, M32))]
    has_ts = rnd.random() < 0.6
    for k in range(rnd.randrange(3, 60)):
        t += (
            rnd.choice((0, 1, 40, 90, 1_000, 2_500, 10_000, 50_000, 200_000, 1_100_000))
            if rnd.random() < 0.97
            else rnd.choice((31_000_000, 61_000_000, -500, -200_000))
        )
        t = max(t, 0)
        d = rnd.randrange(2)
        fl = rnd.choice((ACK,) * 12 + (ACK | PSH,) * 3 + (ACK | FIN, SYN, SYN | ACK, RST, RST | ACK, 0, FIN))
        if k < 3 and rnd.random() < 0.8:
            d, fl = ((0, SYN), (1, SYN | ACK), (0, ACK))[k]
        if rnd.random() < 0.05:
            isn[d] = rnd.randrange(1 << 32)
        seq = (isn[d] + (0 if fl & SYN else rnd.choice((0, 1, 1, 1, 2, 11, 101, 102, 201, 301, 401, 1001)))) & M32
        ack = (isn[1 - d] + rnd.choice((0, 1, 1, 1, 2, 11, 101, 102, 201, 301, 401, 1001))) & M32
        p = Pkt(
            t=t,
            d=d,
            seq=seq,
            ack=ack,
            fl=fl,
            n=rnd.choice((0, 0, 0, 1, 1, 10, 100, 100, 200)) if not fl & SYN or rnd.random() < 0.1 else 0,
            win=rnd.choice((65000, 65000, 65000, 60000, 0, 0)),
            ipid=rnd.choice((0, 7, rnd.randrange(1, 65536), rnd.randrange(1, 65536))),
        )
        if has_ts and rnd.random() < 0.95:
            ts[d] = (ts[d] + rnd.choice((0, 0, 1, 1, 10, -1))) & M32
            p.ts = (ts[d], (ts[1 - d] - rnd.choice((0, 0, 0, 1, 10))) & M32)
        if fl & SYN and rnd.random() < 0.5:
            p.ws = rnd.randrange(15)
        if fl & ACK and rnd.random() < 0.1:
            blocks = [((ack - 10, ack),), ((ack + 100, ack + 300),), ((ack, ack + 9), (ack, ack + 50))]
            p.sack = tuple((left & M32, right & M32) for left, right in rnd.choice(blocks))
        if fl & SYN and rnd.random() < 0.5:
            p.mss, p.sackok = rnd.choice((536, 1460)), rnd.random() < 0.5
        if rnd.random() < 0.05:
            p.ecn, p.fl = 3, p.fl ^ rnd.choice((0, ECE, CWR))
        out.append(p)
        if rnd.random() < 0.05:
            q = copy.copy(p)
            q.t += rnd.choice((0, 60, 5_000))
            out.append(q)
    return out


def reuse(rnd, base):
    """The same tuple again."""
    a, b = mutate(rnd.choice(base), rnd), mutate(rnd.choice(base), rnd)
    if not a or not b:
        return a + b
    start = a[-1].t + rnd.choice((100, 1_000_000, 20_000_000, 29_000_000))
    offsets = [rnd.randrange(1 << 32), rnd.randrange(1 << 32)]
    shift(b, offsets)
    for p in b:
        p.t += start
    return a + b


def streams_of(rnd, base, lab, packets):
    streams, done = [], 0
    while done < packets:
        k = rnd.random()
        if k < 0.4:
            s = wild(rnd)
        elif k < 0.7:
            s = mutate(rnd.choice(base), rnd)
        elif k < 0.9:
            s = reuse(rnd, base)
        else:
            whole = rnd.choice(lab)
            at = 0 if rnd.random() < 0.5 else rnd.randrange(len(whole))
            s = mutate(whole[at : at + rnd.randrange(20, 600)], rnd)
        for p in s:
            p.t = max(p.t, 0)
        if s:
            streams.append(s)
            done += len(s)
    return streams


# ---- comparison


def different(got, want):
    fields = [f"{f} {g[f]}/{w[f]}" for g, w in zip(got, want) for f in FIELDS if g[f] != w[f]]
    return fields or [f"{len(got)}/{len(want)} parts"]


def compare(path, strict, every, counts, shown):
    """Adds to counts; returns how many records are wrong."""
    cfg = Cfg()
    cfg.strict4 = strict
    args = [BIN] + (["--strict"] if strict else []) + (["--every", str(every)] if every else []) + [path]
    got = collections.defaultdict(list)
    for line in subprocess.run(args, check=True, capture_output=True, text=True).stdout.splitlines():
        r = json.loads(line)
        r["quality"] &= QUALITY
        got[r["conversation"], r["incarnation"], r["direction"]].append({f: r[f] for f in FIELDS})
    want, adapted = load(path, Adapted, cfg, every)
    plain, unchanged = load(path, Plain, cfg, every)
    name = f"{os.path.basename(path)}{' strict' if strict else ''}{f' every {every}' if every else ''}"
    wrong = 0

    def show(text):
        if len(shown) < 10:
            shown.append(f"{name} {text}")

    for c, u in zip(adapted, unchanged):
        keys = sorted(k for k in set(got) | set(want) if k[0] == c.number)
        if c.stumbled:
            counts["model stumbled"] += 1
            continue
        counts["conversations"] += 1
        for k in keys:
            counts["records"] += len(got[k])
            if got[k] != want[k]:
                wrong += 1
                show(f"{k}: probe/model {', '.join(different(got[k], want[k])[:8])}")
        if u.stumbled or any(got[k] != plain[k] for k in keys):
            counts["decided by the prose"] += 1
            counts.update(c.causes)
            if not c.causes and not u.stumbled:
                wrong += 1
                k = next(k for k in keys if got[k] != plain[k])
                show(f"{k}: differs from the unchanged model for no known reason: {different(got[k], plain[k])[:8]}")
    return wrong


def captures(pattern):
    return sorted(glob.glob(os.path.join(DIR, "tcp-vectors", pattern)))


def check_capture(path):
    counts, shown = collections.Counter(captures=1), []
    wrong = sum(compare(path, strict, every, counts, shown) for strict in (False, True) for every in (0, 3))
    return wrong, counts, shown, set()


def check_random(task):
    """A task is a pure function of its number: any number of processes give the same streams."""
    number, packets, traced = task
    rnd = random.Random(arguments.seed * 1_000_003 + number)
    base = [vectors.parse(v[2]) for v in vectors.V]
    lab = [s for path in captures("lab_*.pcap") for s in stream(path)]
    streams = streams_of(rnd, base, lab, packets)
    counts, shown = collections.Counter(packets=sum(map(len, streams))), []
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, f"random_{number}.pcap")
        write(path, streams)
        if traced:
            sys.settrace(LINES.trace)
        wrong = compare(path, number % 3 == 0, number % 2 * rnd.randrange(2, 30), counts, shown)
        sys.settrace(None)
        if wrong:
            shutil.copy(path, tempfile.gettempdir())
    return wrong, counts, shown, LINES.seen


TASK, TRACED = 12_500, 2


def main():
    tasks = [(i, TASK, i < TRACED) for i in range(max(TRACED, -(-arguments.packets // TASK)))]
    total, wrong, seen = collections.Counter(), 0, set()
    with multiprocessing.Pool(arguments.jobs) as pool:
        files = pool.imap_unordered(check_capture, captures("lab_*.pcap") + captures("V*.pcap"))
        randoms = pool.imap_unordered(check_random, tasks)
        for results in (randoms, files):
            for bad, counts, shown, lines in results:
                wrong += bad
                total += counts
                seen |= lines
                print(*shown, sep="\n", end="\n" if shown else "", flush=True)
    ordinary = ("packets", "captures", "records", "conversations", "model stumbled", "decided by the prose")
    print(", ".join(f"{total[k]} {k}" for k in ordinary) + f", {wrong} wrong")
    print("causes:", ", ".join(f"{k} {n}" for k, n in sorted(total.items()) if k not in ordinary))
    missed = sorted(LINES.all - seen)
    share = 100 * len(LINES.all & seen) / len(LINES.all)
    print(f"{share:.1f} % of the model's {len(LINES.all)} lines reached; not reached:", *missed)
    source = open(LINES.path).read().splitlines()
    for line in missed:
        print(f"  {line}: {source[line - 1].strip()}")
    if share < 95:
        print("the streams do not reach enough of the model")
    sys.exit(1 if wrong or share < 95 else 0)


if __name__ == "__main__":
    main()
