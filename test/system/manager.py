# SPDX-License-Identifier: Apache-2.0
"""Plays the service manager: the notify socket, the watchdog, the descriptor store, the restart.  sd_notify(3)."""

import array
import os
import shutil
import socket
import sys
import tempfile
import threading

import probe

# Descriptors become 3, 4, ... and the environment says so, as sd_listen_fds(3) wants it.
HAND_OVER = """
import fcntl, os, sys
count = int(sys.argv[1])
# Out of the way first: some of them may be 3, 4, ... themselves.
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 200) for fd in sys.argv[2 : 2 + count]]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.closerange(3 + count, 1024)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""


class Manager:
    def __init__(self, case):
        self.case = case
        # Not below TMPDIR, which may be longer than the 107 octets that the path of a socket has.
        folder = tempfile.mkdtemp(prefix="chompy-", dir="/tmp")
        case.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.store = []  # (name, descriptor)
        self.messages = []  # each a dictionary
        self.removed = []
        # All the time: the socket holds a few datagrams only, and a program whose manager is deaf waits.
        self.listener = threading.Thread(target=self.listen)
        self.listener.start()
        case.addCleanup(self.close)

    def close(self):
        self.socket.sendto(b"END=1", self.path)
        self.listener.join()
        self.forget(lambda name: True)
        self.socket.close()

    def forget(self, which):
        for name, fd in [entry for entry in self.store if which(entry[0])]:
            os.close(fd)
            self.store.remove((name, fd))

    def start(self, *arguments, watchdog=None):
        """The program with what the store holds."""
        names = [name for name, _ in self.store]
        fds = [fd for _, fd in self.store]
        env = {"NOTIFY_SOCKET": self.path}
        prefix = ()
        if watchdog:
            env["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        if fds:
            env["LISTEN_FDNAMES"] = ":".join(names)
            prefix = (sys.executable, "-B", "-c", HAND_OVER, str(len(fds)), *map(str, fds))
        return probe.Running(self.case, *arguments, prefix=prefix, env=env, pass_fds=fds)

    def listen(self):
        while True:
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(64 * 4))
            fds = array.array("i")
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
            message = dict(line.partition("=")[::2] for line in data.decode().splitlines())
            if "END" in message:
                return
            if message.get("FDSTORE") == "1":
                assert message["FDPOLL"] == "0", message
                self.store += [(message["FDNAME"], fd) for fd in fds]
                fds = ()
            if message.get("FDSTOREREMOVE") == "1":
                self.removed.append(message["FDNAME"])
                self.forget(lambda name, gone=message["FDNAME"]: name == gone)
            for fd in fds:  # of a barrier: closing it is the answer
                os.close(fd)
            self.messages.append(message)

    def count(self, key, value="1"):
        return sum(1 for message in list(self.messages) if message.get(key) == value)

    def wait(self, key, count=1, value="1"):
        probe.wait_for(f"{key}={value}", lambda: self.count(key, value) >= count)
