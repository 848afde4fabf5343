"""How a service gets the issuing key: a systemd credential, a prompt, or a warning.

LoadCredentialEncrypted=issuing.passphrase  the passphrase, sealed to the machine (TPM)
LoadCredentialEncrypted=issuing.key         the key itself, sealed in the same way
a file with a passphrase                    a person types it at each start
a file without                              is used, and said aloud at each start
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from doorsill.documents import pem
from doorsill.documents.reading import read_file
from doorsill.errors import UntrustedError
from doorsill.office.controller import secret
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.office.chain import Chain

NAME = "issuing.key"  # in the chain's folder, and as a credential
WORDS = "issuing.passphrase"  # of it, as a credential


def open_issuing(chain: Chain, say: Callable[[str], object]) -> Authority:
    """The issuing CA with its key; ConfigError or UntrustedError if it is not there."""
    path, asked = _credential(NAME) or chain.folder / NAME, False

    def ask() -> bytes:
        nonlocal asked
        asked = True
        sealed = _credential(WORDS)
        if sealed is not None:
            return read_file(sealed).rstrip(b"\r\n")
        return secret(f"passphrase of {path}: ").encode()

    key = pem.read_key(path, ask)
    if key.public_key() != chain.issuing.public_key():
        raise UntrustedError(f"{path} is not the key of {chain.folder / 'issuing.pem'}")
    if not asked and path == chain.folder / NAME:
        say(f"{path} has no passphrase: who can read it can make cameras")
    return Authority(chain.issuing, key)


def _credential(name: str) -> Path | None:
    """What systemd hands over under this name, if it does."""
    folder = os.environ.get(pem.CREDENTIALS)
    copy = Path(folder) / name if folder else None
    return copy if copy and copy.exists() else None
