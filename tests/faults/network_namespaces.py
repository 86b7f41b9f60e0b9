"""Network namespaces joined to this machine by links that are slow, lose packets, and can be down.

A link is a pair of TUN devices, one here and one in the namespace, between which this process carries the
packets: so it needs no `netem` in the kernel. Started as a script by `Namespaces`, with how many, the delay
of one way in seconds, the share that is lost, and a seed; it prints where the namespaces are when the links
are up, and reads `down N` and `up N`. All goes when it ends. It does not know what passes.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

NEW_NETWORK = 0x40000000
TUN_NO_INFO = 0x1001
SET_INTERFACE = 0x400454CA
MTU = 1400


def hindrance() -> str | None:
    """Why there can be no namespaces here; None: there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it takes root on Linux"
    if missing := [name for name in ("ip", "nsenter") if shutil.which(name) is None]:
        return f"there is no {missing[0]}"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    tried = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True)
    return "no network namespace can be made" if tried.returncode else None


class Namespaces:
    """So many namespaces, each on a link of its own."""

    def __init__(self, count: int, *, delay_s: float, loss: float, seed: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(count), str(delay_s), str(loss), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline().split()
        assert len(said) == count, "the links are not up: see what the process said"
        self._spaces = said

    def inside(self, number: int) -> list[str]:
        """What goes before a command that is to run in that namespace."""
        return ["nsenter", f"--net={self._spaces[number]}"]

    def host(self, number: int) -> str:
        """This machine's address, as that namespace reaches it."""
        return address(self._process.pid, number, 1)

    def down(self, number: int) -> None:
        """Nothing passes, either way, and nobody is told."""
        self._say(f"down {number}")

    def up(self, number: int) -> None:
        """It passes again."""
        self._say(f"up {number}")

    def close(self) -> None:
        self._process.communicate()

    def _say(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()


def address(pid: int, number: int, end: int) -> str:
    """Of one end of a link, out of 10.0.0.0/8: others may run this test at the same time."""
    return f"10.{64 + pid // 64 % 128}.{(pid % 64) * 4 + number // 64}.{number % 64 * 4 + end}"


# -- the process that carries the packets ------------------------------------------------------------------


def carry(count: int, delay_s: float, loss: float, seed: int) -> None:
    """Make the links, and carry packets until the input ends."""
    chance = random.Random(seed)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    other: dict[int, int] = {}
    link: dict[int, int] = {}
    spaces = []
    for number in range(count):
        near, far = (address(os.getpid(), number, end) for end in (1, 2))
        ends = [_device(f"lk{os.getpid()}x{number}", near, far)]
        _of_libc("unshare", NEW_NETWORK)
        spaces.append(os.open("/proc/self/ns/net", os.O_RDONLY))
        _ip("link", "set", "lo", "up")
        ends.append(_device("lk0", far, near))
        _of_libc("setns", here, NEW_NETWORK)
        other |= {ends[0]: ends[1], ends[1]: ends[0]}
        link |= dict.fromkeys(ends, number)
    print(*(f"/proc/{os.getpid()}/fd/{space}" for space in spaces), flush=True)
    down: set[int] = set()
    under_way: list[tuple[float, int, int, bytes]] = []
    passed = 0
    while True:
        wait_s = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        ready, _, _ = select.select([0, *other], [], [], wait_s)
        for fd in ready:
            if fd == 0:
                words = os.read(0, 4096).decode().splitlines()
                if not words:
                    return
                for line in words:
                    do, _, which = line.partition(" ")
                    (down.add if do == "down" else down.discard)(int(which))
                continue
            packet = os.read(fd, 65536)
            if chance.random() >= loss:
                passed += 1
                heapq.heappush(under_way, (time.monotonic() + delay_s, passed, other[fd], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, fd, packet = heapq.heappop(under_way)
            if link[fd] not in down:
                os.write(fd, packet)


def _device(name: str, own: str, peer: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(fd, SET_INTERFACE, struct.pack("16sH22x", name.encode(), TUN_NO_INFO))
    _ip("address", "add", own, "peer", peer, "dev", name)
    _ip("link", "set", name, "mtu", str(MTU), "up")
    return fd


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _of_libc(name: str, *given: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*given):
        raise OSError(ctypes.get_errno(), f"{name} failed")


if __name__ == "__main__":
    carry(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
