"""``doorsill verify``: check blanking certificates offline, by the device CA."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from doorsill.certificates import claims
from doorsill.certificates.examine import Document, Verified
from doorsill.certificates.verify import Expected, reservations, verify_chain
from doorsill.documents.pem import read_certificate
from doorsill.documents.reading import read_file
from doorsill.documents.strict_x509 import revoked_by
from doorsill.errors import ConfigError, UntrustedError

CERTIFICATE_LIMIT = 1 << 20  # bytes of one file
HEAD_NAME = "head.json"


def run(args: argparse.Namespace) -> int:
    """Verify a chain; UntrustedError with the reason of the first refusal."""
    folder = len(args.paths) == 1 and args.paths[0].is_dir()
    documents, head = _folder(args.paths[0]) if folder else (_files(args.paths), None)
    authority, now = read_certificate(args.ca), datetime.now(UTC)
    revoked = _revoked(args.crl, authority, now) if args.crl else {}
    expected = Expected(args.device, folder, args.at_least, revoked, now)
    chain = verify_chain(documents, head, authority, expected)
    doubts = reservations(chain)
    if not args.quiet:
        sys.stdout.write("".join(describe(each) for each in chain))
        sys.stdout.write("\nWhat this does not prove:\n")
        sys.stdout.write("".join(f"  - {limit}\n" for limit in claims.LIMITS))
    sys.stdout.write(sum_up(chain, doubts))
    return 1 if doubts else 0


def _revoked(
    path: Path, authority: x509.Certificate, now: datetime
) -> dict[int, datetime]:
    try:
        return revoked_by(read_file(path), authority, now.timestamp(), "device CA")
    except UntrustedError as error:
        raise UntrustedError(f"{path}: {error}") from None


def _folder(folder: Path) -> tuple[list[Document], Document | None]:
    paths = sorted(path for path in folder.glob("*.json") if path.name != HEAD_NAME)
    if not paths:
        raise ConfigError(f"{folder} holds no certificate")
    head = folder / HEAD_NAME
    if not head.exists():
        raise ConfigError(
            f"{head} is missing, so it cannot be seen whether the chain was cut off; "
            "name the files one by one to check them without it"
        )
    return _files(paths), _files([head])[0]


def _files(paths: list[Path]) -> list[Document]:
    return [(path.name, read_file(path, CERTIFICATE_LIMIT)) for path in paths]


def describe(each: Verified) -> str:
    """The lines about one certificate, for a person."""
    body = each.body
    sealed = sum(lease["sealed"] for lease in body["leases"])
    open_ms = sum(lease["closed_ms"] - lease["opened_ms"] for lease in body["leases"])
    at = datetime.fromtimestamp(body["time"]["utc_ms"] / 1000, UTC)
    return (
        f"certificate {each.counter}  {at:%Y-%m-%d %H:%M:%S} UTC "
        f"({body['time']['source']})\n"
        f"  device {body['device']} claims: {claims.REASONS[body['reason']]}; "
        f"{', '.join(body['methods'])}; "
        f"{_found(each)}\n"
        f"  open before that: {open_ms / 1000:.1f} s, {sealed} crops sealed"
        f"{_card(body)}\n"
        f"  around it: {_around(body)}\n"
    )


def _around(body: dict[str, Any]) -> str:
    """What the kernel said of this machine, besides the medium."""
    system = body["system"]
    swap, dumps = system["swap_bytes"], system["core_dumps"]
    return (
        f"{f'swap of {swap} bytes' if swap else 'no swap'}; core dumps {dumps}; "
        f"journal {system['journal']}"
    )


def _found(each: Verified) -> str:
    medium = each.body["medium"]
    if each.read_back:
        return f"all {medium['size']} bytes of {medium['kind']} read back as blank"
    return f"the {medium['kind']} did not answer: without power, not read back yet"


def _card(body: dict[str, Any]) -> str:
    cards = sorted({lease["card"][:16] for lease in body["leases"]})
    return f", card {', '.join(cards)}" if cards else ""


def sum_up(chain: list[Verified], doubts: list[str]) -> str:
    """The last lines for a person: what is verified, and what lowers the verdict."""
    first, last = chain[0].counter, chain[-1].counter
    which = (
        f"certificate {first}" if first == last else f"certificates {first} to {last}"
    )
    verdict = f"verified: {which} of device {chain[0].body['device']}"
    if not chain[-1].read_back:
        verdict += "; the medium is without power and is yet to be read back"
    if doubts:
        verdict += "\nwith reservations, as nothing was looked for there:"
        verdict += "".join(f"\n  - {doubt}" for doubt in doubts)
    return verdict + "\n"
