"""Starts of the vault after one bit of one of its files has fallen over.

``python tests/worlds/turned.py 1500`` makes as many of each file, and prints a table:
each must end with a medium of zeros, running or stopped by an error of ours.
"""

import base64
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from cards import Controller
from cryptography.hazmat.primitives.serialization import Encoding

from doorsill.certificates.examine import Verified
from doorsill.certificates.verify import Expected, verify_chain
from doorsill.config import Config
from doorsill.documents import pem
from doorsill.errors import DoorsillError
from doorsill.services import vault_opening
from doorsill.services.children import prepare
from doorsill.services.policies import store_of
from doorsill.services.vault_cards import PolicyInForce
from doorsill.vault import marker
from doorsill.vault.chain import LeaseInterval
from doorsill_fleet.stage.shop import Stage

LINES = (((0.0, 0.6), (1.0, 0.6)),)
YESTERDAY = b"ciphertext of yesterday"
MEDIUM_BYTES = 65536


class Shop:
    """A device with its vault, whose files can be turned one bit at a time."""

    def __init__(self, folder: Path) -> None:
        stage = Stage(folder, LINES)
        stage.more = (
            f'[consent]\nca = "ca.pem"\nmedium = "faces.bin"\n'
            f"medium_bytes = {MEDIUM_BYTES}\n"
        )
        self.config: Config = stage.set()
        self.authority = stage.authority.certificate
        consent_ca = Controller(utc=time.time() - 60).ca
        (folder / "ca.pem").write_bytes(consent_ca.public_bytes(Encoding.PEM))
        prepare(self.config)
        with vault_opening.only_one(self.config), vault_opening.open_vault(self.config):
            pass  # the chain begins
        self.folder = self.config.vault_folder
        self.medium = self.folder / "faces.bin"
        broker = self.config.broker
        # The certificate last: one whose signature is turned signs, and is refused.
        self.files: dict[str, tuple[Path, Callable[[bytes, random.Random], bytes]]] = {
            "key": (broker.key, turned_pem),
            "policy": (self.config.policy_in_force, turned),
            "marker": (self.folder / marker.MARKER_NAME, turned),
            "certificate": (broker.certificate, turned_pem),
        }
        self.leave_marker(random.Random(1))
        self.good = {path: path.read_bytes() for path, _ in self.files.values()}

    def leave_marker(self, dice: random.Random) -> bytes:
        """As a vault does that dies while it is open: another key each time."""
        now = time.time_ns() // 1_000_000
        lease = LeaseInterval(now, now, "died", "bb" * 32, "v", 0, 0, 0)
        marker.write(self.folder, lease, dice.randbytes(16).hex())
        return (self.folder / marker.MARKER_NAME).read_bytes()

    def start(self) -> str:
        """Everything that the service reads before it confines itself."""
        try:
            with (
                vault_opening.only_one(self.config),
                vault_opening.open_vault(self.config) as (v, _),
            ):
                rules = PolicyInForce(store_of(self.config).load())
                pem.read_certificate(vault_opening.consent_of(self.config).ca)
                assert v.verified_blank
                assert rules.policy.version == 1
        except DoorsillError as error:
            return f"blank, stopped: {type(error).__name__}"
        return "blank, running"

    def starts(self, name: str, count: int, seed: int) -> Counter[str]:
        """``count`` starts, each with another bit of ``name`` turned."""
        dice, found = random.Random(seed), Counter[str]()
        path, turn = self.files[name]
        for _ in range(count):
            for each, data in self.good.items():
                if each.name != marker.MARKER_NAME or name == "marker":
                    each.write_bytes(data)
            good = self.leave_marker(dice) if name == "marker" else self.good[path]
            path.write_bytes(turn(good, dice))
            self.medium.write_bytes(YESTERDAY * (MEDIUM_BYTES // len(YESTERDAY)))
            try:
                outcome = self.start()
            except BaseException as error:
                outcome = f"UNHANDLED {type(error).__name__}: {error}"
            if any(self.medium.read_bytes()):
                outcome += " NOT BLANK"
            found[outcome] += 1
        for each, data in self.good.items():
            if each.name != marker.MARKER_NAME:
                each.write_bytes(data)
        return found

    def spoilt(self, name: str, count: int, seed: int) -> list[str]:
        """What of :meth:`starts` is neither blank nor an error of ours."""
        found = self.starts(name, count, seed)
        return [each for each in found if not fine(each)]

    def verified(self) -> list[Verified]:
        """The chain that all of these starts left, by the stand-alone verifier."""
        certificates = self.config.certificates
        documents = [(p.name, p.read_bytes()) for p in certificates.glob("0*.json")]
        head = "head.json", (certificates / "head.json").read_bytes()
        device = Expected(self.config.device.id)
        return verify_chain(sorted(documents), head, self.authority, device)


def fine(outcome: str) -> bool:
    return outcome.startswith("blank") and not outcome.endswith("NOT BLANK")


def turned(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) * 8)
    changed = bytearray(data)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def turned_pem(pem: bytes, dice: random.Random) -> bytes:
    """Below the base64, where a bit reaches the parser of what it says."""
    first, *body, last = pem.decode("ascii").strip().splitlines()
    der = turned(base64.b64decode("".join(body)), dice)
    return f"{first}\n{base64.encodebytes(der).decode()}{last}\n".encode()


def main() -> int:
    """Print the table; 1 where one start was neither blank nor an error of ours."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    logging.disable(logging.CRITICAL)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        for name in shop.files:
            if name == "certificate":
                print(f"{len(shop.verified())} blanking certificates verified")
            for outcome, times in sorted(shop.starts(name, count, 2).items()):
                print(f"{name:12} {times:5}  {outcome}", flush=True)
                good = good and fine(outcome)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
