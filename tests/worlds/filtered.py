"""Two machines, a camera and a shop, with a cable and a real filter between.

    camera (192.0.2.1, fd00::1) ── veth ── shop (192.0.2.2, fd00::2)

Each is a network namespace. In the shop everything listens; in the camera programs of
other users try to get out. Needs root and a kernel with nftables.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from children import first_line, started
from limits import PROGRAM_S

CAMERA, SHOP = ("192.0.2.1", "fd00::1"), ("192.0.2.2", "fd00::2")
KEEPS = ["unshare", "--net", "sh", "-c", "echo made; exec cat"]  # a network
Try = tuple[int, str, int]  # user, "tcp" or "udp", port
# It listens on the ports of its words, and answers what comes by UDP.
LISTENS = """\
import json, selectors, socket, sys
every = selectors.DefaultSelector()
every.register(sys.stdin, selectors.EVENT_READ)
kept = []
for port in json.loads(sys.argv[1]):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            one = socket.socket(family, kind)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((address, port))
            if kind == socket.SOCK_STREAM:
                one.listen(100)
                kept.append(one)
            else:
                every.register(one, selectors.EVENT_READ)
print("listens", flush=True)
while True:
    for key, _ in every.select():
        if key.fileobj is sys.stdin:
            sys.exit()
        data, sender = key.fileobj.recvfrom(100)
        key.fileobj.sendto(data, sender)
"""
# It tries [[user, kind, port], ...] at each address; prints those that get through.
TRIES = """\
import json, os, select, socket, sys, time
addresses, tries, seconds = json.loads(sys.argv[1])
waiting, through = {}, []
def attempt(user, kind, port, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    os.seteuid(user)  # the filter looks at who made the socket
    of = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    one = socket.socket(family, of)
    one.setblocking(False)
    waiting[one] = (user, kind, port, address)
    try:
        one.connect_ex((address, port))
        if kind == "udp":
            one.send(b"hello")
    except OSError:  # refused, before it was sent
        del waiting[one]
    os.seteuid(0)
for each in tries:
    for address in addresses:
        attempt(*each, address)
ends = time.monotonic() + seconds
while waiting and (left := ends - time.monotonic()) > 0:
    wants = [s for s in waiting if waiting[s][1] == "tcp"]
    reads = [s for s in waiting if waiting[s][1] == "udp"]
    read, wrote, _ = select.select(reads, wants, [], left)
    for one in read + wrote:
        said = waiting.pop(one)
        try:
            good = one.recv(100) == b"hello" if said[1] == "udp" else (
                one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0)
        except OSError:
            good = False
        if good:
            through.append(said)
        one.close()
print(json.dumps(through))
"""


# Users by number: those of the rules, the camera's others, and somebody.
USERS = {
    "systemd-network": 3001,
    "systemd-resolve": 3002,
    "systemd-timesync": 3003,
    "doorsill-uplink": 3004,
    "doorsill-vision": 3005,
    "doorsill-vault": 3006,
    "nobody": 65534,
    "root": 0,
}


def by_number(rules: str) -> str:
    """The image's rules, with USERS: this machine has others."""
    return re.sub(r'"([\w-]+)"(?= )', lambda name: str(USERS[name[1]]), rules)


@dataclass(frozen=True, slots=True)
class Machine:
    """One of the two, by a process that keeps its network."""

    process: int

    def run(
        self, *words: str | Path, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A program in its network."""
        return subprocess.run(
            [*self.inside(), *map(str, words)],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=PROGRAM_S,
        )

    def must(self, *words: str | Path, given: str = "") -> str:
        """What a program prints that succeeds."""
        done = self.run(*words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def inside(self) -> list[str]:
        """The words before a program in its network."""
        return ["nsenter", f"--net=/proc/{self.process}/ns/net"]


@dataclass(frozen=True, slots=True)
class Cable:
    """Both machines."""

    camera: Machine
    shop: Machine

    def out(self, tries: Iterable[Try], seconds: float) -> set[Try]:
        """Those of ``tries`` that reach the shop, by IPv4 or IPv6."""
        return _through(self.camera, SHOP, tries, seconds)

    def into(self, tries: Iterable[Try], seconds: float) -> set[Try]:
        """Those of ``tries`` that reach the camera."""
        return _through(self.shop, CAMERA, tries, seconds)


def _through(
    machine: Machine, to: tuple[str, ...], tries: Iterable[Try], seconds: float
) -> set[Try]:
    given = json.dumps([to, list(tries), seconds])
    found = json.loads(machine.must(sys.executable, "-c", TRIES, given))
    return {(user, kind, port) for user, kind, port, _ in found}


@contextmanager
def cable(ports: Iterable[int]) -> Iterator[Cable]:
    """Both machines, on which ``ports`` are listened to."""
    with ExitStack() as ends:
        camera, shop = (Machine(ends.enter_context(_until_left(KEEPS))) for _ in "12")
        words = ["ip", "link", "add", "cam", "type", "veth", "peer", "name", "shop"]
        camera.must(*words, "netns", str(shop.process))
        for machine, name, addresses in (
            (camera, "cam", CAMERA), (shop, "shop", SHOP),
        ):  # fmt: skip
            machine.must("ip", "link", "set", "lo", "up")
            machine.must("ip", "link", "set", name, "up")
            machine.must("ip", "address", "add", f"{addresses[0]}/24", "dev", name)
            nodad = ["dev", name, "nodad"]
            machine.must("ip", "address", "add", f"{addresses[1]}/64", *nodad)
            said = json.dumps(list(ports))
            listens = [*machine.inside(), sys.executable, "-c", LISTENS, said]
            ends.enter_context(_until_left(listens))
        yield Cable(camera, shop)


@contextmanager
def _until_left(words: list[str]) -> Iterator[int]:
    """A program that says a word when it is ready, and ends with its input."""
    with started(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert first_line(child)
        yield child.pid
        assert child.stdin is not None
        child.stdin.close()
