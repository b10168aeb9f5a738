// SPDX-License-Identifier: Apache-2.0
// The vectors that define TCP metering, as text: what passes the tap, and what the records must say.
// Expectations: rtt_min/max/avg fields 1-3, retrans field 4, win_min/max fields 5-6, and those of the extended set, of
// the records of A (to B) and B; what is not named is not fixed by the vector.  The last incarnation of the tuple
// counts.
#pragma once

#include <array>
#include <string_view>

namespace whiteowl::test {

struct TcpVector {
  std::string_view name, reason, script, a, b, conversation;
};

inline constexpr std::array kTcpVectors = {
    TcpVector{"V01 whole connection", "handshake, one request and answer, both FINs",
              "HS\n"
              "40   > 1001 5001 100 PA 64000\n"
              "62   < 5001 1101 500 PA 65000\n"
              "72   > 1101 5501 0 A 64000\n"
              "80   > 1101 5501 0 FA 64000\n"
              "100  < 5501 1102 0 FA 65000\n"
              "110  > 1102 5502 0 A 64000\n",
              "rtt_n=3 rtt_min=20000 rtt_max=22000 rtt_avg=20666 retrans=0 win_min=64000 win_max=64000 hs=20000 "
              "hs_total=30000 art_n=1 art_sum=22000 unique=100 flight_max=100",
              "rtt_n=3 rtt_min=10000 rtt_max=10000 retrans=0 win_min=65000 win_max=65000 hs=10000 art_n=0 unique=500",
              "state=Closed"},
    TcpVector{"V02 SYN repeated, no timestamps", "ambiguous (Karn): no handshake sample",
              "0    > 1000 0 0 S 64000\n"
              "1000 > 1000 0 0 S 64000\n"
              "1020 < 5000 1001 0 SA 65000\n"
              "1030 > 1001 5001 0 A 64000\n",
              "rtt_n=0 rtt_min=0 rtt_avg=0 hs=0 hs_total=0 retrans=1 synretx=1 timeout=1",
              "rtt_n=1 rtt_min=10000 hs=10000 retrans=0", "state=Established"},
    TcpVector{"V03 SYN repeated, timestamps", "SYN-ACK echoes the second TSval: exact sample",
              "0    > 1000 0 0 S 64000 ts=100/0\n"
              "1000 > 1000 0 0 S 64000 ts=1100/0\n"
              "1020 < 5000 1001 0 SA 65000 ts=7/1100\n"
              "1030 > 1001 5001 0 A 64000 ts=1130/7\n",
              "rtt_n=1 rtt_min=20000 hs=20000 hs_total=30000 synretx=1 retrans=1", "rtt_n=1 rtt_min=10000", ""},
    TcpVector{"V04 SYN-ACK repeated", "server side sampled once, client side ambiguous",
              "0    > 1000 0 0 S 64000\n"
              "20   < 5000 1001 0 SA 65000\n"
              "1020 < 5000 1001 0 SA 65000\n"
              "1030 > 1001 5001 0 A 64000\n",
              "rtt_n=1 rtt_min=20000 hs=20000 retrans=0 synretx=0", "rtt_n=0 hs=0 retrans=1 synretx=1",
              "state=Established"},
    TcpVector{"V05 delayed cumulative ACK", "one ACK for two segments: one sample, from the newer",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "41   > 2001 5001 1000 A 64000\n"
              "63   < 5001 3001 0 A 65000\n",
              "rtt_n=2 rtt_min=20000 rtt_max=22000 retrans=0 flight_max=2000", "dupack=0", ""},
    TcpVector{"V06 ACK inside a segment", "partial ACK gives nothing, the exact one does",
              "HS\n"
              "40   > 1001 5001 3000 A 64000\n"
              "61   < 5001 2001 0 A 65000\n"
              "62   < 5001 4001 0 A 65000\n",
              "rtt_n=2 rtt_max=22000 retrans=0", "dupack=0", ""},
    TcpVector{"V07 loss behind the tap, fast retransmit",
              "bytes seen before; later samples suspended until the recovery point",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "41   > 2001 5001 1000 A 64000\n"
              "42   > 3001 5001 1000 A 64000\n"
              "43   > 4001 5001 1000 A 64000\n"
              "62   < 5001 1001 0 A 65000\n"
              "63   < 5001 1001 0 A 65000\n"
              "64   < 5001 1001 0 A 65000\n"
              "75   > 1001 5001 1000 A 64000\n"
              "95   < 5001 5001 0 A 65000\n"
              "105  > 5001 5001 1000 A 64000\n"
              "125  < 5001 6001 0 A 65000\n",
              "rtt_n=2 rtt_min=20000 rtt_max=20000 retrans=1 fast=1 timeout=0 ooo=0 spurious=0 retrans_octets=1000 "
              "unique=5000 flight_max=4000",
              "dupack=3", ""},
    TcpVector{"V08 loss before the tap, fast retransmit",
              "hole at the tap filled after a full RTT: a retransmission, not reordering",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "42   > 3001 5001 1000 A 64000\n"
              "43   > 4001 5001 1000 A 64000\n"
              "44   > 5001 5001 1000 A 64000\n"
              "60   < 5001 2001 0 A 65000\n"
              "62   < 5001 2001 0 A 65000\n"
              "63   < 5001 2001 0 A 65000\n"
              "64   < 5001 2001 0 A 65000\n"
              "74   > 2001 5001 1000 A 64000\n"
              "94   < 5001 6001 0 A 65000\n",
              "rtt_n=2 rtt_max=20000 retrans=1 fast=1 ooo=0 retrans_octets=1000 unique=5000 missed=0", "dupack=3", ""},
    TcpVector{"V09 reordering before the tap",
              "hole filled 1 ms later (< 3/4 of 30 ms): reordered; field 4 keeps the seed count",
              "HS\n"
              "40   > 2001 5001 1000 A 64000\n"
              "41   > 1001 5001 1000 A 64000\n"
              "61   < 5001 3001 0 A 65000\n",
              "rtt_n=1 retrans=1 ooo=1 fast=0 timeout=0 retrans_octets=0 unique=2000 missed=0", "", ""},
    TcpVector{"V10 late original, timestamps", "60 ms late, but its TSval is older than data already seen: reordered",
              "0    > 1000 0 0 S 64000 ts=100/0\n"
              "20   < 5000 1001 0 SA 65000 ts=900/100\n"
              "30   > 1001 5001 0 A 64000 ts=130/900\n"
              "42   > 2001 5001 1000 A 64000 ts=142/900\n"
              "102  > 1001 5001 1000 A 64000 ts=140/900\n"
              "122  < 5001 3001 0 A 65000 ts=1002/140\n",
              "rtt_n=1 retrans=1 ooo=1 retrans_octets=0", "", ""},
    TcpVector{"V11 tail loss, timeout", "silent for 250 ms: counted as timeout; no sample from the repeated segment",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "290  > 1001 5001 1000 A 64000\n"
              "310  < 5001 2001 0 A 65000\n",
              "rtt_n=1 rtt_max=20000 retrans=1 timeout=1 fast=0 retrans_octets=1000", "", ""},
    TcpVector{"V12 spurious retransmission",
              "the tap saw the ACK before the repeat; D-SACK comes back and is no duplicate ACK",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "60   < 5001 2001 0 A 65000\n"
              "300  > 1001 5001 1000 A 64000\n"
              "320  < 5001 2001 0 A 65000 sack=1001-2001\n",
              "rtt_n=2 retrans=1 spurious=1 dsack=1 timeout=1 retrans_octets=1000 unique=1000", "dupack=0", ""},
    TcpVector{"V13 keep-alive", "1 octet, then 0 octets, at snd_max-1 with nothing outstanding",
              "HS\n"
              "40   > 1001 5001 100 PA 64000\n"
              "60   < 5001 1101 0 A 65000\n"
              "45060 > 1100 5001 1 A 64000\n"
              "45080 < 5001 1101 0 A 65000\n"
              "90060 > 1100 5001 0 A 64000\n"
              "90080 < 5001 1101 0 A 65000\n",
              "rtt_n=2 rtt_max=20000 retrans=0 keepalive=1 unique=100", "dupack=0", ""},
    TcpVector{"V14 one-octet segment repeated", "same shape as a keep-alive, but the octet is unacknowledged",
              "HS\n"
              "40   > 1001 5001 1 PA 64000\n"
              "340  > 1001 5001 1 PA 64000\n"
              "360  < 5001 1002 0 A 65000\n",
              "rtt_n=1 retrans=1 keepalive=0 timeout=1 retrans_octets=1", "", ""},
    TcpVector{"V15 zero window and probes", "probe octet at snd_max refused twice, then the window opens",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "60   < 5001 2001 0 A 0\n"
              "260  > 2001 5001 1 A 64000\n"
              "280  < 5001 2001 0 A 0\n"
              "660  > 2001 5001 1 A 64000\n"
              "680  < 5001 2001 0 A 0\n"
              "700  < 5001 2001 0 A 65000\n"
              "720  > 2001 5001 500 A 64000\n"
              "740  < 5001 2501 0 A 65000\n",
              "rtt_n=3 rtt_max=20000 retrans=0 zwp=2 unique=1500",
              "zwin=1 zwin_us=640000 win_min=0 win_max=65000 dupack=0", ""},
    TcpVector{"V16 probe octet accepted", "the ACK takes the octet: not missed data, next segment is new",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "60   < 5001 2001 0 A 0\n"
              "260  > 2001 5001 1 A 64000\n"
              "280  < 5001 2002 0 A 65000\n"
              "290  > 2002 5001 500 A 64000\n"
              "310  < 5001 2502 0 A 65000\n",
              "rtt_n=3 retrans=0 zwp=1 missed=0 unique=1501", "zwin=1 zwin_us=220000", ""},
    TcpVector{"V17 sequence wrap in data", "serial arithmetic",
              "0    > 0xFFFFFC00 0 0 S 64000\n"
              "20   < 5000 0xFFFFFC01 0 SA 65000\n"
              "30   > 0xFFFFFC01 5001 0 A 64000\n"
              "40   > 0xFFFFFC01 5001 1000 A 64000\n"
              "41   > 0xFFFFFFE9 5001 1000 A 64000\n"
              "42   > 0x3D1 5001 1000 A 64000\n"
              "62   < 5001 0x7B9 0 A 65000\n"
              "80   > 0x3D1 5001 1000 A 64000\n",
              "rtt_n=2 retrans=1 spurious=1 unique=3000 flight_max=3000 missed=0", "", ""},
    TcpVector{"V18 ISN 0xFFFFFFFF", "SYN consumes the wrap; ACK 0 is a real number",
              "0    > 0xFFFFFFFF 0 0 S 64000\n"
              "20   < 0xFFFFFFFF 0 0 SA 65000\n"
              "30   > 0 0 0 A 64000\n"
              "40   > 0 0 10 PA 64000\n"
              "60   < 0 10 0 A 65000\n",
              "rtt_n=2 rtt_min=20000 retrans=0 unique=10", "rtt_n=1 rtt_min=10000", ""},
    TcpVector{"V19 FIN with data, FIN repeated", "FIN takes one number; the repeat is ambiguous",
              "HS\n"
              "40   > 1001 5001 100 FPA 64000\n"
              "290  > 1001 5001 100 FPA 64000\n"
              "310  < 5001 1102 0 A 65000\n"
              "320  < 5001 1102 0 FA 65000\n"
              "330  > 1102 5002 0 A 64000\n",
              "rtt_n=1 retrans=1 timeout=1 retrans_octets=100 unique=100 fin=2", "rtt_n=2 rtt_max=10000 fin=1",
              "state=Closed"},
    TcpVector{"V20 reset", "no sample from RST, its window is ignored, origin kept",
              "HS\n"
              "40   > 1001 5001 100 PA 64000\n"
              "60   < 5001 1101 0 RA 0\n",
              "rtt_n=1 retrans=0", "rst=1 win_min=65000 zwin=0", "state=Closed rst_from=1"},
    TcpVector{"V21 connection refused", "SYN answered by RST",
              "0    > 1000 0 0 S 64000\n"
              "20   < 0 1001 0 RA 0\n",
              "rtt_n=0 hs=0 retrans=0 win_min=64000", "rst=1 win_min=0 win_max=0", "state=Closed rst_from=1"},
    TcpVector{"V22 mid-stream pick-up", "no handshake seen; measurement starts at once",
              "0    > 70001 90001 1000 A 500\n"
              "1    > 71001 90001 1000 A 500\n"
              "22   < 90001 72001 0 A 700\n"
              "30   < 90001 72001 300 PA 700\n"
              "40   > 72001 90301 0 A 500\n",
              "rtt_n=1 rtt_min=21000 retrans=0 hs=0 hs_total=0", "rtt_n=1 rtt_min=10000 retrans=0",
              "state=Established"},
    TcpVector{"V23 simultaneous open", "the SYN-ACKs repeat the ISN but are no retransmissions",
              "0    > 1000 0 0 S 64000\n"
              "5    < 5000 0 0 S 65000\n"
              "15   > 1000 5001 0 SA 64000\n"
              "20   < 5000 1001 0 SA 65000\n"
              "30   > 1001 5001 0 A 64000\n"
              "40   > 1001 5001 100 PA 64000\n"
              "60   < 5001 1101 0 A 65000\n",
              "retrans=0 rtt_n=2 rtt_min=20000", "retrans=0 rtt_n=1 rtt_min=10000", "state=Established"},
    TcpVector{"V24 TFO data accepted", "SYN carries 100 octets",
              "0    > 1000 0 100 S 64000\n"
              "20   < 5000 1101 0 SA 65000\n"
              "30   > 1101 5001 0 A 64000\n"
              "31   > 1101 5001 50 PA 64000\n"
              "51   < 5001 1151 0 A 65000\n",
              "rtt_n=2 rtt_min=20000 retrans=0 hs=20000 unique=150", "rtt_n=1", ""},
    TcpVector{"V25 TFO data refused",
              "the server acknowledges only the SYN; the data go again: a repeat, and ambiguous",
              "0    > 1000 0 100 S 64000\n"
              "20   < 5000 1001 0 SA 65000\n"
              "30   > 1001 5001 100 PA 64000\n"
              "50   < 5001 1101 0 A 65000\n",
              "rtt_n=1 rtt_min=20000 retrans=1 retrans_octets=100 fast=0 timeout=0 hs=20000", "rtt_n=1", ""},
    TcpVector{"V26 port reuse after close", "lower ISN: must start a new flow, not count as repeat",
              "HS\n"
              "40   > 1001 5001 0 FA 64000\n"
              "60   < 5001 1002 0 FA 65000\n"
              "70   > 1002 5002 0 A 64000\n"
              "500  > 200 0 0 S 64000\n"
              "530  < 9000 201 0 SA 65000\n"
              "540  > 201 9001 0 A 64000\n",
              "rtt_n=1 rtt_min=30000 retrans=0", "rtt_n=1 rtt_min=10000 retrans=0", "state=Established n_restarts=1"},
    TcpVector{"V27 port reuse without a seen close", "SYN waits for its SYN-ACK as proof",
              "HS\n"
              "40   > 1001 5001 100 PA 64000\n"
              "60   < 5001 1101 0 A 65000\n"
              "9000 > 777000 0 0 S 64000\n"
              "9020 < 888000 777001 0 SA 65000\n"
              "9030 > 777001 888001 0 A 64000\n",
              "rtt_n=1 rtt_min=20000 retrans=0 hs=20000", "rtt_n=1 retrans=0", "state=Established n_restarts=1"},
    TcpVector{"V28 stray SYN in a live connection", "challenge ACK, no restart",
              "HS\n"
              "40   > 1001 5001 100 PA 64000\n"
              "60   < 5001 1101 0 A 65000\n"
              "100  > 31337 0 0 S 1024\n"
              "120  < 5001 1101 0 A 65000\n"
              "130  > 1101 5001 100 PA 64000\n"
              "150  < 5001 1201 0 A 65000\n",
              "rtt_n=3 retrans=0 unique=200", "dupack=0", "state=Established n_restarts=0"},
    TcpVector{"V29 every packet captured twice", "equal IP ID: duplicates, RTT unharmed",
              "0     > 1000 0 0 S 64000\n"
              "0.005 > 1000 0 0 S 64000 id==\n"
              "20    < 5000 1001 0 SA 65000\n"
              "20.005 < 5000 1001 0 SA 65000 id==\n"
              "30    > 1001 5001 0 A 64000\n"
              "30.005 > 1001 5001 0 A 64000 id==\n"
              "40    > 1001 5001 1000 A 64000\n"
              "40.005 > 1001 5001 1000 A 64000 id==\n"
              "60    < 5001 2001 0 A 65000\n"
              "60.005 < 5001 2001 0 A 65000 id==\n",
              "rtt_n=2 rtt_min=20000 rtt_max=20000 retrans=0 dup=3 unique=1000", "rtt_n=1 dup=2 dupack=0 retrans=0",
              ""},
    TcpVector{"V30 no IP ID", "20 us later: duplicate; 50 ms later: repeat",
              "0     > 1000 0 0 S 64000 id=0\n"
              "20    < 5000 1001 0 SA 65000 id=0\n"
              "20.02 < 5000 1001 0 SA 65000 id=0\n"
              "30    > 1001 5001 0 A 64000 id=0\n"
              "40    > 1001 5001 1000 A 64000 id=0\n"
              "90    > 1001 5001 1000 A 64000 id=0\n",
              "rtt_n=1 retrans=1 dup=0", "dup=1 retrans=0 rtt_n=1", ""},
    TcpVector{"V31 super-segment (GRO)", "60 kB in one capture, ACKs inside it",
              "HS\n"
              "40   > 1001 5001 60000 A 64000\n"
              "60   < 5001 2921 0 A 65000\n"
              "61   < 5001 30001 0 A 65000\n"
              "63   < 5001 61001 0 A 65000\n",
              "rtt_n=2 rtt_max=23000 retrans=0 unique=60000 flight_max=60000 pkts=3", "", ""},
    TcpVector{"V32 only one direction captured", "SYN to third packet is the full RTT; repeats are still seen",
              "0    > 1000 0 0 S 64000\n"
              "30   > 1001 5001 0 A 64000\n"
              "40   > 1001 5001 1000 A 64000\n"
              "41   > 2001 5001 1000 A 64000\n"
              "80   > 1001 5001 1000 A 64000\n",
              "rtt_n=0 rtt_min=0 hs=0 hs_total=30000 retrans=1 ooo=0 spurious=0 unique=2000 flight_max=0", "", ""},
    TcpVector{"V33 ACK of unseen data", "capture loss at the end of a burst, or an optimistic ACK: no sample",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "60   < 5001 4001 0 A 65000\n"
              "70   > 4001 5001 1000 A 64000\n"
              "90   < 5001 5001 0 A 65000\n",
              "rtt_n=2 rtt_max=20000 missed=2000 retrans=0", "", ""},
    TcpVector{"V34 gap never filled", "ACK passes over a hole: the tap lost it, the receiver has it",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "42   > 3001 5001 1000 A 64000\n"
              "60   < 5001 2001 0 A 65000\n"
              "62   < 5001 4001 0 A 65000\n"
              "70   > 4001 5001 1000 A 64000\n"
              "90   < 5001 5001 0 A 65000\n",
              "rtt_n=3 rtt_max=20000 missed=1000 retrans=0 ooo=0 unique=3000", "dupack=0", ""},
    TcpVector{"V35 pure receiver",
              "TSval of pure ACKs echoed by later data: RTT of the other side of the tap (extended field only)",
              "0    > 1000 0 0 S 64000 ts=100/0\n"
              "20   < 5000 1001 0 SA 65000 ts=900/100\n"
              "30   > 1001 5001 0 A 64000 ts=130/900\n"
              "50   < 5001 1001 1000 A 65000 ts=930/130\n"
              "51   > 1001 6001 0 A 64000 ts=151/930\n"
              "73   < 6001 1001 1000 A 65000 ts=953/151\n"
              "74   > 1001 7001 0 A 64000 ts=174/953\n"
              "94   < 7001 1001 1000 A 65000 ts=974/174\n",
              "rtt_n=1 rtt_min=20000 tsmin=20000", "rtt_n=3 rtt_min=1000 retrans=0", ""},
    TcpVector{"V36 old ACK", "ACK below the highest one: neither duplicate ACK nor sample",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "41   > 2001 5001 1000 A 64000\n"
              "61   < 5001 3001 0 A 65000\n"
              "61.2 < 5001 2001 0 A 65000\n",
              "rtt_n=2 rtt_max=20000 retrans=0", "dupack=0", ""},
    TcpVector{"V37 window scale", "raw fields as on the wire, scaled ones without the SYN",
              "0    > 1000 0 0 S 64240 mss=1460 ws=7 sok=1\n"
              "20   < 5000 1001 0 SA 65160 mss=1460 ws=9 sok=1\n"
              "30   > 1001 5001 0 A 502\n"
              "40   > 1001 5001 100 PA 600\n"
              "60   < 5001 1101 0 A 128\n",
              "win_min=502 win_max=64240 swin_min=64256 swin_max=76800 mss=1460 ws=7",
              "win_min=128 win_max=65160 swin_min=65536 swin_max=65536 ws=9", ""},
    TcpVector{"V38 ECN", "CE marks per direction, ECE and CWR outside the handshake",
              "0    > 1000 0 0 SEC 64000\n"
              "20   < 5000 1001 0 SAE 65000\n"
              "30   > 1001 5001 0 A 64000\n"
              "40   > 1001 5001 1000 A 64000 ce=1\n"
              "60   < 5001 2001 0 AE 65000\n"
              "70   > 2001 5001 1000 AC 64000\n"
              "90   < 5001 3001 0 A 65000\n",
              "ce=1 cwr=1 ece=0 rtt_n=3", "ece=1 ce=0", ""},
    TcpVector{"V39 response time", "ACK first, answer later; second request; server push does not count",
              "HS\n"
              "40   > 1001 5001 100 PA 64000\n"
              "41   > 1101 5001 100 PA 64000\n"
              "61   < 5001 1201 0 A 65000\n"
              "161  < 5001 1201 1000 PA 65000\n"
              "162  < 6001 1201 1000 PA 65000\n"
              "171  > 1201 7001 0 A 64000\n"
              "200  > 1201 7001 50 PA 64000\n"
              "260  < 7001 1251 10 PA 65000\n",
              "art_n=2 art_sum=180000 art_max=120000 rtt_n=3 rtt_min=20000 rtt_max=60000", "art_n=0", ""},
    TcpVector{"V40 repacketised repeat", "old octets plus new ones in one segment",
              "HS\n"
              "40   > 1001 5001 100 A 64000\n"
              "290  > 1001 5001 300 A 64000\n"
              "310  < 5001 1301 0 A 65000\n",
              "retrans=1 retrans_octets=100 unique=300 timeout=1 rtt_n=1", "", ""},
    TcpVector{"V41 clock steps back", "negative interval is dropped, not clamped",
              "HS\n"
              "40   > 1001 5001 100 PA 64000\n"
              "39.5 < 5001 1101 0 A 65000\n"
              "60   > 1101 5001 100 PA 64000\n"
              "80   < 5001 1201 0 A 65000\n",
              "rtt_n=2 rtt_min=20000 rtt_max=20000", "", ""},
    TcpVector{"V42 segment far outside the window", "blind injection must not poison the highest sequence",
              "HS\n"
              "40   > 1001 5001 100 PA 64000\n"
              "60   < 5001 1101 0 A 65000\n"
              "70   > 500000000 5001 100 PA 64000\n"
              "80   > 1101 5001 100 PA 64000\n"
              "100  < 5001 1201 0 A 65000\n",
              "retrans=0 invalid=1 unique=200 rtt_n=3 missed=0", "", ""},
    TcpVector{"V43 SYN-ACK after the TTL", "handshake sample only within 30 s",
              "0     > 1000 0 0 S 64000\n"
              "31000 < 5000 1001 0 SA 65000\n"
              "31010 > 1001 5001 0 A 64000\n",
              "rtt_n=0 hs=0 retrans=0", "rtt_n=1 rtt_min=10000", ""},
    TcpVector{"V44 two losses in one window", "partial ACK, second repeat still fast recovery",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "41   > 2001 5001 1000 A 64000\n"
              "42   > 3001 5001 1000 A 64000\n"
              "43   > 4001 5001 1000 A 64000\n"
              "44   > 5001 5001 1000 A 64000\n"
              "62   < 5001 1001 0 A 65000 sack=2001-3001\n"
              "64   < 5001 1001 0 A 65000 sack=4001-5001,2001-3001\n"
              "65   < 5001 1001 0 A 65000 sack=4001-6001,2001-3001\n"
              "75   > 1001 5001 1000 A 64000\n"
              "95   < 5001 3001 0 A 65000 sack=4001-6001\n"
              "96   > 3001 5001 1000 A 64000\n"
              "116  < 5001 6001 0 A 65000\n"
              "120  > 6001 5001 1000 A 64000\n"
              "140  < 5001 7001 0 A 65000\n",
              "retrans=2 fast=2 timeout=0 spurious=0 ooo=0 rtt_n=2 rtt_max=20000 unique=6000", "dupack=3", ""},
    TcpVector{"V45 window update is no duplicate ACK", "same ACK number, other window",
              "HS\n"
              "40   > 1001 5001 1000 A 64000\n"
              "41   > 2001 5001 1000 A 64000\n"
              "60   < 5001 2001 0 A 60000\n"
              "60.5 < 5001 2001 0 A 65000\n"
              "61   < 5001 3001 0 A 65000\n",
              "rtt_n=3 rtt_max=20000 retrans=0", "dupack=0", ""},
    TcpVector{"V46 answer within the same microsecond", "measured 0 is reported as 1, so 0 keeps meaning none",
              "0    > 1000 0 0 S 64000\n"
              "0    < 5000 1001 0 SA 65000\n"
              "0    > 1001 5001 0 A 64000\n",
              "rtt_n=1 rtt_min=1 rtt_avg=1 rtt_max=1 hs=1", "rtt_n=1 rtt_min=1", ""},
};

}  // namespace whiteowl::test
