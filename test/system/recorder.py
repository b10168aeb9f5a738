# SPDX-License-Identifier: Apache-2.0
"""Writes TCP and UDP packets of an interface to standard output as a pcap, until SIGINT; then says what it lost."""

import signal
import socket
import struct
import sys

SOL_PACKET, PACKET_STATISTICS = 263, 6


def wanted(frame):
    return (frame[12:14] == b"\x08\x00" and frame[23] in (6, 17)) or (
        frame[12:14] == b"\x86\xdd" and frame[20] in (6, 17)
    )


def main():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
    s.bind((sys.argv[1], 3))  # ETH_P_ALL
    signal.signal(signal.SIGINT, lambda *_: sys.exit())
    out = sys.stdout.buffer
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 128, 1))
    try:
        while True:
            frame = s.recv(65536)
            if wanted(frame):
                out.write(struct.pack("<IIII", 0, 0, min(128, len(frame)), len(frame)) + frame[:128])
                out.flush()
    finally:
        _, dropped = struct.unpack("II", s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        print(f"\n{dropped} packets dropped by kernel", file=sys.stderr)


if __name__ == "__main__":
    main()
