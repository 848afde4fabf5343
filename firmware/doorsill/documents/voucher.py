"""A voucher: the one line that brings a camera into service.

    doorsill://fleet.example:8443/ds-4k7q2m9x/AB3D-…-7K2M
               where the fleet is  serial      code

The code holds 16 characters of a secret, which is good once and of which the fleet
keeps the hash alone; 26 of the hash of the fleet's root, so that the first contact is
authenticated; and 2 to find a slip of the keyboard. The alphabet is Crockford's: upper
and lower case are one, O is 0, I and L are 1.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from doorsill.errors import ConfigError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SECRET, ROOT, CHECK = 16, 26, 2  # characters of 5 bits: 80, 130 and 10 bits
SERIAL = re.compile(r"ds-[0-9a-hjkmnp-tv-z]{8}")
SHAPE = re.compile(
    r"doorsill://(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])"
    r":(?P<port>[0-9]{1,5})/(?P<serial>[A-Za-z0-9-]{1,16})/(?P<code>[A-Za-z0-9-]{1,99})"
)
LONGEST = 512  # characters of a voucher, with what a phone or an editor adds
EXAMPLE = "doorsill://HOST:PORT/SERIAL/CODE"


@dataclass(frozen=True, slots=True)
class Voucher:
    """Where the fleet is, for which serial number, and what proves both sides."""

    host: str
    port: int
    serial: str
    secret: str = field(repr=False)
    root: str  # the beginning of the root's hash, see :func:`root_mark`

    def text(self) -> str:
        """The line that is printed, typed or scanned."""
        code = self.secret + self.root
        code += _check(self.host, self.port, self.serial, code)
        groups = "-".join(code[at : at + 4] for at in range(0, len(code), 4))
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"doorsill://{host}:{self.port}/{self.serial}/{groups}"


def read_voucher(text: str) -> Voucher:
    """The voucher in ``text``; ConfigError with what is wrong, never with its code."""
    found = SHAPE.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if found is None:
        raise ConfigError(f"the voucher is not one line such as {EXAMPLE}")
    host, port = found["host"].strip("[]").lower(), int(found["port"])
    serial = _alike(found["serial"]).lower()
    serial = "ds-" + serial[2:] if serial.startswith("ds") else serial
    code = _alike(found["code"])
    if not 0 < port < 65536:
        raise ConfigError(f"the voucher's port {port} is above 65535 or 0")
    if not SERIAL.fullmatch(serial):
        raise ConfigError(
            f"the voucher's serial number {found['serial']} is none of ours"
        )
    want = SECRET + ROOT + CHECK
    if len(code) != want:
        raise ConfigError(f"the voucher's code has {len(code)} of {want} characters")
    secret, root, check = code[:SECRET], code[SECRET:-CHECK], code[-CHECK:]
    if check != _check(host, port, serial, secret + root):
        raise ConfigError(
            "the voucher was not typed as it is printed: its check characters do not "
            "match; look at each character again"
        )
    return Voucher(host, port, serial, secret, root)


def root_mark(der: bytes) -> str:
    """The first 130 bits of the SHA-256 of a certificate in DER, as in a voucher."""
    return _spell(hashlib.sha256(der).digest(), ROOT)


def new_secret(random: bytes) -> str:
    """80 bits of ``random`` as a secret of a voucher."""
    return _spell(random, SECRET)


def secret_hash(secret: str) -> str:
    """What the fleet keeps of a secret: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("ascii", "replace")).hexdigest()


def new_serial(random: bytes) -> str:
    """A serial number from 40 bits of ``random``."""
    return "ds-" + _spell(random, 8).lower()


def _alike(text: str) -> str:
    """``text`` without groups, and with one character for those that look alike."""
    return text.upper().replace("-", "").translate(str.maketrans("OIL", "011"))


def _check(host: str, port: int, serial: str, code: str) -> str:
    words = f"{host.lower()} {port} {serial} {code}"
    return _spell(hashlib.sha256(words.encode()).digest(), CHECK)


def _spell(data: bytes, length: int) -> str:
    bits = int.from_bytes(data, "big") >> (len(data) * 8 - 5 * length)
    return "".join(ALPHABET[bits >> (5 * at) & 31] for at in reversed(range(length)))
