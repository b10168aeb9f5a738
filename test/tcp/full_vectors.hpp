// SPDX-License-Identifier: Apache-2.0
// Every figure of the vectors' last records as the definition computes them, those that a vector does not list
// included. What is not named is 0.  Of V27 only the listed values are fixed: where the proving SYN is counted is free.
#pragma once

#include <array>
#include <string_view>

namespace whiteowl::test {

struct FullVector {
  std::string_view number, a, b;
};

inline constexpr std::array kFullVectors = {
    FullVector{"V01",
               "rtt_min=20000 rtt_max=22000 rtt_avg=20666 win_min=64000 win_max=64000 rtt_n=3 srtt=20218 rttvar=6062 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 art_n=1 art_sum=22000 art_max=22000 unique=100 "
               "flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=3 srtt=10000 rttvar=2812 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000 unique=500 flight_max=500"},
    FullVector{"V02", "retrans=1 win_min=64000 win_max=64000 timeout=1 synretx=1 swin_min=64000 swin_max=64000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000"},
    FullVector{"V03",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 timeout=1 synretx=1 swin_min=64000 swin_max=64000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000"},
    FullVector{"V04",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 rttvar=10000 "
               "hs=20000 swin_min=64000 swin_max=64000",
               "retrans=1 win_min=65000 win_max=65000 timeout=1 synretx=1"},
    FullVector{"V05",
               "rtt_min=20000 rtt_max=22000 rtt_avg=21000 win_min=64000 win_max=64000 rtt_n=2 srtt=20250 rttvar=8000 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=2000 flight_max=2000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V06",
               "rtt_min=20000 rtt_max=22000 rtt_avg=21000 win_min=64000 win_max=64000 rtt_n=2 srtt=20250 rttvar=8000 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=3000 flight_max=3000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{
        "V07",
        "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 "
        "rttvar=7500 hs=20000 hs_total=30000 retrans_octets=1000 fast=1 swin_min=64000 swin_max=64000 unique=5000 "
        "flight_max=4000",
        "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
        "hs=10000 hs_total=30000 dupack=3 swin_min=65000 swin_max=65000"},
    FullVector{
        "V08",
        "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 "
        "rttvar=7500 hs=20000 hs_total=30000 retrans_octets=1000 fast=1 swin_min=64000 swin_max=64000 unique=5000 "
        "flight_max=5000",
        "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
        "hs=10000 hs_total=30000 dupack=3 swin_min=65000 swin_max=65000"},
    FullVector{"V09",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 ooo=1 swin_min=64000 swin_max=64000 unique=2000 flight_max=2000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V10",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 ooo=1 swin_min=64000 swin_max=64000 unique=2000 flight_max=2000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V11",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 retrans_octets=1000 timeout=1 swin_min=64000 swin_max=64000 "
               "unique=1000 flight_max=1000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V12",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 "
               "rttvar=7500 hs=20000 hs_total=30000 retrans_octets=1000 timeout=1 spurious=1 dsack=1 swin_min=64000 "
               "swin_max=64000 unique=1000 flight_max=1000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V13",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 hs_total=30000 keepalive=1 swin_min=64000 swin_max=64000 unique=100 flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V14",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 retrans_octets=1 timeout=1 swin_min=64000 swin_max=64000 unique=1 "
               "flight_max=1",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V15",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=3 srtt=20000 rttvar=5625 "
               "hs=20000 hs_total=30000 zwp=2 swin_min=64000 swin_max=64000 unique=1500 flight_max=1000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 hs=10000 "
               "hs_total=30000 zwin=1 zwin_us=640000 swin_max=65000"},
    FullVector{"V16",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=3 srtt=20000 rttvar=5625 "
               "hs=20000 hs_total=30000 zwp=1 swin_min=64000 swin_max=64000 unique=1501 flight_max=1000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 hs=10000 "
               "hs_total=30000 zwin=1 zwin_us=220000 swin_max=65000"},
    FullVector{"V17",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 "
               "rttvar=7500 hs=20000 hs_total=30000 retrans_octets=1000 spurious=1 swin_min=64000 swin_max=64000 "
               "unique=3000 flight_max=3000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V18",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=10 flight_max=10",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V19",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 retrans_octets=100 timeout=1 swin_min=64000 swin_max=64000 "
               "unique=100 flight_max=101",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=2 srtt=10000 rttvar=3750 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000 flight_max=1"},
    FullVector{"V20",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 rttvar=10000 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=100 flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000"},
    FullVector{"V21", "win_min=64000 win_max=64000", ""},
    FullVector{"V22",
               "rtt_min=21000 rtt_max=21000 rtt_avg=21000 win_min=500 win_max=500 rtt_n=1 srtt=21000 rttvar=10500 "
               "swin_min=500 swin_max=500 art_n=1 art_sum=29000 art_max=29000 unique=2000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=700 win_max=700 rtt_n=1 srtt=10000 rttvar=5000 "
               "swin_min=700 swin_max=700 unique=300 flight_max=300"},
    FullVector{"V23",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 swin_min=64000 swin_max=64000 unique=100 flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 swin_min=65000 swin_max=65000"},
    FullVector{"V24",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=150 flight_max=50",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V25",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 retrans_octets=100 swin_min=64000 swin_max=64000 unique=100 "
               "flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V26",
               "rtt_min=30000 rtt_max=30000 rtt_avg=30000 win_min=64000 win_max=64000 rtt_n=1 srtt=30000 rttvar=15000 "
               "hs=30000 hs_total=40000 swin_min=64000 swin_max=64000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=40000"},
    FullVector{"V28",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=3 srtt=20000 rttvar=5625 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=200 flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V29",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 hs_total=30000 dup=3 swin_min=64000 swin_max=64000 unique=1000 flight_max=1000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 dup=2 swin_min=65000 swin_max=65000"},
    FullVector{"V30",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 retrans_octets=1000 swin_min=64000 swin_max=64000 unique=1000 "
               "flight_max=1000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 dup=1"},
    FullVector{"V31",
               "rtt_min=20000 rtt_max=23000 rtt_avg=21500 win_min=64000 win_max=64000 rtt_n=2 srtt=20375 rttvar=8250 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=60000 flight_max=60000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V32",
               "retrans=1 win_min=64000 win_max=64000 hs_total=30000 retrans_octets=1000 swin_min=64000 swin_max=64000 "
               "unique=2000",
               "hs_total=30000"},
    FullVector{"V33",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 missed=2000 unique=2000 flight_max=1000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V34",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=3 srtt=20000 rttvar=5625 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 missed=1000 unique=3000 flight_max=3000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V35",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 rttvar=10000 "
               "hs=20000 hs_total=30000 tsmin=20000 swin_min=64000 swin_max=64000",
               "rtt_min=1000 rtt_max=10000 rtt_avg=4000 win_min=65000 win_max=65000 rtt_n=3 srtt=7890 rttvar=6468 "
               "hs=10000 hs_total=30000 tsmin=1000 swin_min=65000 swin_max=65000 unique=3000 flight_max=1000"},
    FullVector{"V36",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=2000 flight_max=2000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V37",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=502 win_max=64240 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 hs_total=30000 swin_min=64256 swin_max=76800 mss=1460 ws=7 unique=100 flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=128 win_max=65160 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65536 swin_max=65536 mss=1460 ws=9"},
    FullVector{"V38",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=3 srtt=20000 rttvar=5625 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 ce=1 cwr=1 unique=2000 flight_max=1000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000 ece=1"},
    FullVector{"V39",
               "rtt_min=20000 rtt_max=60000 rtt_avg=33333 win_min=64000 win_max=64000 rtt_n=3 srtt=25000 rttvar=15625 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 art_n=2 art_sum=180000 art_max=120000 unique=250 "
               "flight_max=200",
               "rtt_min=9000 rtt_max=10000 rtt_avg=9500 win_min=65000 win_max=65000 rtt_n=2 srtt=9875 rttvar=4000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000 unique=2010 flight_max=2000"},
    FullVector{"V40",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=1 win_min=64000 win_max=64000 rtt_n=1 srtt=20000 "
               "rttvar=10000 hs=20000 hs_total=30000 retrans_octets=100 timeout=1 swin_min=64000 swin_max=64000 "
               "unique=300 flight_max=300",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V41",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 rttvar=7500 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=200 flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V42",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=3 srtt=20000 rttvar=5625 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=200 flight_max=100",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=65000 swin_max=65000"},
    FullVector{"V43", "win_min=64000 win_max=64000 swin_min=64000 swin_max=64000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000"},
    FullVector{
        "V44",
        "rtt_min=20000 rtt_max=20000 rtt_avg=20000 retrans=2 win_min=64000 win_max=64000 rtt_n=2 srtt=20000 "
        "rttvar=7500 hs=20000 hs_total=30000 retrans_octets=2000 fast=2 swin_min=64000 swin_max=64000 unique=6000 "
        "flight_max=5000",
        "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=65000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
        "hs=10000 hs_total=30000 dupack=3 swin_min=65000 swin_max=65000"},
    FullVector{"V45",
               "rtt_min=20000 rtt_max=20000 rtt_avg=20000 win_min=64000 win_max=64000 rtt_n=3 srtt=20000 rttvar=5625 "
               "hs=20000 hs_total=30000 swin_min=64000 swin_max=64000 unique=2000 flight_max=2000",
               "rtt_min=10000 rtt_max=10000 rtt_avg=10000 win_min=60000 win_max=65000 rtt_n=1 srtt=10000 rttvar=5000 "
               "hs=10000 hs_total=30000 swin_min=60000 swin_max=65000"},
    FullVector{
        "V46",
        "rtt_min=1 rtt_max=1 rtt_avg=1 win_min=64000 win_max=64000 rtt_n=1 srtt=1 hs=1 hs_total=2 swin_min=64000 "
        "swin_max=64000",
        "rtt_min=1 rtt_max=1 rtt_avg=1 win_min=65000 win_max=65000 rtt_n=1 srtt=1 hs=1 hs_total=2"}};

}  // namespace whiteowl::test
