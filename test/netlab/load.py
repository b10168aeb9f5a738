#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One TCP connection with a known load; each end prints as one line of JSON what its kernel says of it.

load.py server ADDRESS PORT [RECEIVE_BUFFER]     says "ready", serves one connection and ends with it
load.py client ADDRESS PORT STEPS                STEPS is a JSON list:
    ["turns", N, REQUEST, ANSWER, PAUSE]   N times: a request of so many octets, its answer, a pause in seconds
    ["bulk", OCTETS, STALL]                one request of so many octets; the server waits STALL seconds before it reads
    ["keepalive", SECONDS]                 probes of an idle connection after so long, from now on
    ["idle", SECONDS]

A request begins with what it wants: octets that follow, octets of the answer, seconds to wait.
"""

import fcntl
import json
import socket
import struct
import sys
import time

HEAD = struct.Struct("!QQd")
BLOCK = bytes(65536)
PATIENCE = 30  # seconds without progress
SIOCOUTQ = 0x5411
# Where struct tcp_info of linux/tcp.h has them, and how wide.
TCP_INFO = {"total_retrans": ("I", 100), "min_rtt_us": ("I", 148), "bytes_retrans": ("Q", 208)}


def kernel_says(s):
    """Once everything is acknowledged: figures of this end of the connection."""
    end = time.monotonic() + PATIENCE
    while struct.unpack("i", fcntl.ioctl(s, SIOCOUTQ, bytes(4)))[0] and time.monotonic() < end:
        time.sleep(0.005)
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return {name: struct.unpack_from(width, info, at)[0] for name, (width, at) in TCP_INFO.items()}


def receive(s, octets):
    """False at the end of the stream."""
    while octets:
        got = len(s.recv(min(octets, len(BLOCK))))
        if not got:
            return False
        octets -= got
    return True


def send(s, octets):
    while octets:
        octets -= s.send(BLOCK[: min(octets, len(BLOCK))])


def ask(s, octets, answer, stall=0.0):
    """Octets that went and came."""
    s.sendall(HEAD.pack(octets, answer, stall))
    send(s, octets)
    if not receive(s, answer):
        sys.exit("load: the server closed early")
    return HEAD.size + octets, answer


def serve(address, port, buffer=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if int(buffer):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(buffer))
        listener.bind((address, int(port)))
        listener.listen()
        print("ready", flush=True)
        listener.settimeout(PATIENCE)
        s, _ = listener.accept()
    with s:
        s.settimeout(PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while head := s.recv(HEAD.size, socket.MSG_WAITALL):
            octets, answer, stall = HEAD.unpack(head)
            time.sleep(stall)
            receive(s, octets)
            send(s, answer)
        return kernel_says(s)


def talk(address, port, steps):
    sent = received = asked = 0
    began = time.monotonic()
    with socket.create_connection((address, int(port)), timeout=PATIENCE) as s:
        connected = time.monotonic() - began
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, *values in json.loads(steps):
            if name == "keepalive":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, values[0])
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, values[0])
            elif name == "idle":
                time.sleep(values[0])
            elif name == "bulk":
                went, came = ask(s, values[0], 1, values[1])
                sent, received, asked = sent + went, received + came, asked + 1
            elif name == "turns":
                for _ in range(values[0]):
                    went, came = ask(s, values[1], values[2])
                    sent, received, asked = sent + went, received + came, asked + 1
                    time.sleep(values[3])
        result = {**kernel_says(s), "sent": sent, "received": received, "asked": asked}
        result["connect_us"] = int(connected * 1e6)
        s.shutdown(socket.SHUT_WR)
        s.recv(1)  # the server's end
        return result


if __name__ == "__main__":
    print(json.dumps({"server": serve, "client": talk}[sys.argv[1]](*sys.argv[2:])))
