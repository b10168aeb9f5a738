#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares tcp_vectors_tool with the executable definition of TCP metering, field by field.

tcp_model_check.py BIN DIR [PACKETS [SEED]]: DIR holds tcp-model/ (the definition) and tcp-vectors/ (captures).
Runs over every V*.pcap and lab_*.pcap and over at least PACKETS (200000) packets of mutated and of random streams, in
seed mode and in strict mode.  Every record must be equal to the adapted model below; the adapted model differs from the
definition only where the prose of the definition decides otherwise, and each place says which words those are.
A stream
whose record differs from the unchanged model without having passed such a place is an error too.
"""

import copy, glob, json, os, random, struct, subprocess, sys, tempfile

BIN, DIR = sys.argv[1], sys.argv[2]
PACKETS = int(sys.argv[3]) if len(sys.argv) > 3 else 200_000
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else 20240229
sys.path.insert(0, os.path.join(DIR, "tcp-model"))
import pcapio, vectors
from tcpmeter import *

FIELDS = ["rtt_min", "rtt_max", "rtt_avg", "retrans", "win_min", "win_max", "state"]


class Adapted(Conv):
    """The definition where its prose decides otherwise than its model."""

    def __init__(s, cfg=None):
        super().__init__(cfg)
        s.causes = set()
        s.cache = [None, None]  # section 5: the SYN cache outlives the conversation
        s.repeats_at = None

    def restart(s):
        old = Adapted(s.c)
        old.__dict__.update({k: v for k, v in s.__dict__.items() if k != "restarts"})
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

    def feed(s, p):
        D, X = s.dir[p.d], s.dir[1 - p.d]
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


def load(path, cls, cfg):
    convs = {}
    for t, buf, ol, link in pcapio.read(path):
        r = pcapio.decode(buf, link)
        if not r:
            continue
        a, b, kw = r
        k = (a, b) if (a, b) in convs else (b, a) if (b, a) in convs else None
        if k is None:
            k = (a, b)
            convs[k] = cls(cfg)
            convs[k].stumbled = None
        if convs[k].stumbled:
            continue
        try:
            convs[k].feed(Pkt(t=t, d=0 if k == (a, b) else 1, **kw))
        except (TypeError, ValueError) as e:  # the model itself stumbles over holes that overlap round the circle
            convs[k].stumbled = repr(e)
    return list(convs.values())


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
        o += b"\x01\x01" + struct.pack("!BB", 5, 2 + 8 * len(sack)) + b"".join(struct.pack("!II", *q) for q in sack)
    return o + b"\x01" * (-len(o) % 4)


def write(path, streams, t0=1_700_000_000_000_000):
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
        gap = rnd.choice((1_000_000, 31_000_000, 61_000_000, 600_000_000))
        for p in out[at:]:
            p.t += gap
    if rnd.random() < 0.5:
        shift(out, [rnd.choice((0, 0xFFFFF000, 0x7FFFFF00, rnd.randrange(1 << 32))) for _ in range(2)])
    return out


def spoil_one(p, rnd):
    k = rnd.randrange(9)
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
        if fl & ACK and rnd.random() < 0.05:
            p.sack = ((ack - 10 & M32, ack),)
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


# ---- comparison


def records(convs):
    """(conversation, incarnation, direction) -> fields"""
    out = {}
    for number, c in enumerate(convs):
        for k, cc in enumerate(c.restarts + [c]):
            for d in (0, 1):
                r = cc.snapshot(d)
                out[number, k, d] = {f: r[f] for f in FIELDS}
    return out


why = {}


def compare(path, strict, counts):
    cfg = Cfg()
    cfg.strict4 = strict
    args = [BIN] + (["--strict"] if strict else []) + [path]
    got = {}
    for line in subprocess.run(args, check=True, capture_output=True, text=True).stdout.splitlines():
        r = json.loads(line)
        got[r["conversation"], r["incarnation"], r["direction"]] = {f: r[f] for f in FIELDS}
    adapted = load(path, Adapted, cfg)
    unchanged = load(path, Conv, cfg)
    plain, want = records(unchanged), records(adapted)
    bad = 0
    skip = {number for number, c in enumerate(adapted) if c.stumbled}
    got = {k: v for k, v in got.items() if k[0] not in skip}
    want = {k: v for k, v in want.items() if k[0] not in skip}
    for k in sorted(set(got) | set(want)):
        if got.get(k) != want.get(k):
            bad += 1
            if counts["shown"] < 10:
                counts["shown"] += 1
                print(f"{path} strict={strict} {k}\n  probe {got.get(k)}\n  model {want.get(k)}")
    for number, c in enumerate(adapted):
        mine = {k: v for k, v in got.items() if k[0] == number}
        counts["records"] += len(mine)
        if unchanged[number].stumbled or c.stumbled:
            counts["model_stumbled"] += 1
            reason = unchanged[number].stumbled or c.stumbled
            why[reason] = why.get(reason, 0) + 1
            continue
        if mine != {k: v for k, v in plain.items() if k[0] == number}:
            counts["parted"] += 1
            for cause in c.causes:
                counts[cause] = counts.get(cause, 0) + 1
            if not c.causes:
                bad += 1
                if counts["shown"] < 10:
                    counts["shown"] += 1
                    print(
                        f"{path} strict={strict} conversation {number} differs from "
                        "the unchanged model for no known reason"
                    )
                    for k in mine:
                        print("  ", k, mine[k], "\n  ", k, plain.get(k))
        counts["conversations"] += 1
    return bad


def main():
    counts = dict(records=0, conversations=0, parted=0, model_stumbled=0, shown=0)
    captures = sorted(glob.glob(os.path.join(DIR, "tcp-vectors", "V*.pcap"))) + sorted(
        glob.glob(os.path.join(DIR, "tcp-vectors", "lab_*.pcap"))
    )
    bad = sum(compare(path, strict, counts) for path in captures for strict in (False, True))
    print(
        f'{len(captures)} captures, {counts["records"]} records, {bad} wrong, '
        f'{counts["parted"]} conversations where the prose decides'
    )
    rnd = random.Random(SEED)
    base = [vectors.parse(v[2]) for v in vectors.V]
    lab = [s for path in captures if "lab_" in path for s in stream(path)]
    done, streams = 0, []
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, "mutated.pcap")
        while done < PACKETS:
            streams = []
            while sum(map(len, streams)) < 50_000:
                k = rnd.random()
                if k < 0.45:
                    s = wild(rnd)
                elif k < 0.8:
                    s = mutate(rnd.choice(base), rnd)
                elif k < 0.97:
                    s = reuse(rnd, base)
                else:
                    whole = rnd.choice(lab)
                    at = 0 if rnd.random() < 0.5 else rnd.randrange(len(whole))
                    s = mutate(whole[at : at + rnd.randrange(20, 600)], rnd)
                for p in s:
                    p.t = max(p.t, 0)
                if s:
                    streams.append(s)
            write(path, streams)
            done += sum(map(len, streams))
            wrong = sum(compare(path, strict, counts) for strict in (False, True))
            if wrong and not bad:
                os.system(f"cp {path} {tempfile.gettempdir()}/tcp_model_check_failed.pcap")
            bad += wrong
    print(
        f'{done} mutated packets, {counts["records"]} records, {bad} wrong; '
        f'of {counts["conversations"]} conversations {counts["parted"]} are decided by the prose:',
        {k: v for k, v in counts.items() if k not in ("records", "conversations", "parted", "shown")},
    )
    print("the unchanged model stumbled:", why)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
