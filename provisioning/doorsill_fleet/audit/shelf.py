"""Where certificates that came home are kept: one file each, on disk before the answer.

    <folder>/<site>/<device>/0000000007-1f2e3d4c5b6a7988.json

The name is the certificate's number and the start of the message's hash, so the same
message twice is one file, and another of the same number lies beside it for the audit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from doorsill.documents.durable import put
from doorsill.documents.fields import DEVICE_ID
from doorsill.errors import ConfigError, UntrustedError, UplinkError
from doorsill.wire.certificate import Certificate
from doorsill.wire.codec import decode
from doorsill.wire.messages import CERTIFICATE

SAME_NUMBER_MOST = 8  # different certificates of one number that are kept
MOST = 20_000  # certificates of one device; its chain has no more


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder with the certificates of all devices; ``also``: others to read."""

    folder: Path
    also: tuple[Path, ...] = ()

    def __str__(self) -> str:
        """Where it looks, for a person."""
        return " or ".join(map(str, (self.folder, *self.also)))

    def keep(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Keep what is a certificate among (topic, payload) pairs.

        Raises UplinkError if the disk fails; then the messages may be kept again.
        """
        for topic, payload in messages:
            place = _place(topic)
            if place is None:
                continue
            try:
                message = decode(CERTIFICATE, payload)
            except UntrustedError:
                continue  # the store counts it and sets it aside
            if isinstance(message, Certificate):
                self._put(self.folder.joinpath(*place), message.counter, payload)

    def of(self, site: str, device: str) -> list[Certificate]:
        """Every certificate of one device, by number; UplinkError for a bad file."""
        names: dict[str, Path] = {}  # a copy in another folder is the same message
        for folder in (self.folder, *self.also):
            for path in (folder / site / device).glob("*.json"):
                names.setdefault(path.name, path)
        found = []
        for path in map(names.__getitem__, sorted(names)):
            try:
                message = decode(CERTIFICATE, path.read_bytes())
            except (OSError, UntrustedError) as error:
                raise UplinkError(f"{path} cannot be read: {error}") from None
            assert isinstance(message, Certificate)  # noqa: S101 - of that stream
            found.append(message)
        return found

    def _put(self, folder: Path, counter: int, payload: bytes) -> None:
        start = hashlib.sha256(payload).hexdigest()[:16]
        path = folder / f"{counter:010d}-{start}.json"
        if path.exists() or counter > MOST:
            return
        if len(list(folder.glob(f"{counter:010d}-*.json"))) >= SAME_NUMBER_MOST:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            put(path, payload)
        except (OSError, ConfigError) as error:
            raise UplinkError(f"a certificate cannot be kept: {error}") from None


def _place(topic: str) -> tuple[str, str] | None:
    """Site and device of a topic for certificates."""
    match topic.split("/"):
        case ["doorsill", site, device, "certificate"] if DEVICE_ID.fullmatch(
            site
        ) and DEVICE_ID.fullmatch(device):
            return site, device
    return None
