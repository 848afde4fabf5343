"""``doorsill vault``: list what is sealed, export it to the card, read it, blank it."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from datetime import UTC, datetime

from doorsill.channels.control import ask
from doorsill.config import load_config
from doorsill.consent.reasons import WORDS, Reason
from doorsill.consent.token import Token, TokenIn
from doorsill.documents.files import require_empty, require_new
from doorsill.documents.folders import make_folder
from doorsill.documents.pem import read_certificate
from doorsill.documents.reading import read_file
from doorsill.errors import ConfigError, UntrustedError
from doorsill.process.hardening import forbid_core_dumps
from doorsill.process.in_time import in_time
from doorsill.services import vault_opening
from doorsill.vault import export
from doorsill.vault.sealing import unwrap

EXPORT_MOST = 1 << 30  # bytes of an export
FIRST_S = 10.0  # limit for a token to say whether it is there
WORK_S = 60.0  # limit for a token to open an export, and a person to touch it
HANGS = "the card service (pcscd) or the token hangs: no answer"
UNPOWERED = "its memory has no power; it is blanked and read back when it has"


def list_vault(args: argparse.Namespace) -> int:
    """Say how the vault is."""
    config = load_config(args.config)
    answer, _ = ask(config.vault_socket, "status")
    if answer["state"] == "open":
        _say(
            f"OPEN for {answer['purpose']}: {answer['sealed']} crops, "
            f"{answer['bytes']} bytes"
        )
        _say(f"card {answer['card'][:16]}")
        if answer["lamp"] is not None:
            _say("the consent lamp is lit" if answer["lamp"] else "the lamp is NOT lit")
    elif answer["verified_blank"]:
        _say("BLANK (verified: every byte of the medium was read back as zero)")
    elif answer["without_power"]:
        _say(f"SHUT: {UNPOWERED}")
    else:
        _say("SHUT, but not verified blank; see the newest certificate")
    if answer["watchdog"] is False:
        _say("the interlock board gets NO pulses, so the memory has no power")
    if answer["late_pulses"]:
        _say(
            f"{answer['late_pulses']} pulses of the board came late: a busy processor?"
        )
    if answer["last_reason"]:
        _say(f"closed last because {WORDS[Reason(answer['last_reason'])]}")
    if answer["certificate"]:
        _say(f"newest certificate: {answer['certificate']}")
        folder = config.certificates
        _say(f"check it: doorsill verify {folder} --ca CA.pem")
    return 0


def export_vault(args: argparse.Namespace) -> int:
    """Write the export to a new file; UntrustedError if the vault refuses."""
    config = load_config(args.config)
    require_new(args.file)
    answer, handle = ask(config.vault_socket, "export")
    if handle is None:
        raise UntrustedError("the vault gave no export")
    with os.fdopen(handle, "rb") as sealed:
        sealed.seek(0)
        try:
            written = os.open(args.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(written, "wb") as file:
                file.write(sealed.read())
        except OSError as error:
            raise ConfigError(f"cannot write {args.file}: {error.strerror}") from None
    _say(
        f"wrote {args.file}: {answer['crops']} crops, sealed to the card in the reader"
    )
    return 0


def blank_vault(args: argparse.Namespace) -> int:
    """Ask the vault to blank; blank here if no vault is at work."""
    config = load_config(args.config)
    if config.vault_socket.exists():
        try:
            answer, _ = ask(config.vault_socket, "blank")
        except ConfigError as error:
            _say(f"{error}; blanking without it")
        else:
            return _report_blank(answer["verified_blank"], answer["certificate"])
    forbid_core_dumps()
    with vault_opening.only_one(config), vault_opening.open_vault(config) as (vault, _):
        path = vault.blank(Reason.ORDERED)
        return _report_blank(vault.verified_blank, path.name)


def _report_blank(verified: bool, certificate: str) -> int:
    """Say what was done; 1 if the medium could not be read back."""
    if verified:
        _say(f"BLANK (verified); certificate {certificate}")
        return 0
    _say(f"the key is destroyed; {UNPOWERED}; certificate {certificate}")
    return 1


def open_export(args: argparse.Namespace) -> int:
    """Decrypt an export with the card in the reader, to PPM files."""
    require_empty(args.to)
    authority = read_certificate(args.ca)
    try:
        sealed = export.read(read_file(args.file, EXPORT_MOST), authority)
    except UntrustedError as error:
        raise error.of(args.file) from None
    point = export.peer(sealed)
    token, pin = _token(args)
    try:
        _require_token(token)
        shared = in_time(WORK_S, HANGS, lambda: token.unwrap(point, pin))
        cipher = unwrap(sealed.wrapped, shared)
    except TimeoutError as error:
        raise UntrustedError(str(error)) from None
    finally:
        token.close()
    make_folder(args.to, 0o700)
    try:
        for number, (record, plain) in enumerate(
            export.open_records(sealed, cipher), 1
        ):
            at = datetime.fromtimestamp(record.utc_ms / 1000, UTC)
            path = args.to / f"{number:05d}-{at:%Y%m%dT%H%M%SZ}.ppm"
            path.touch(0o600)
            path.write_bytes(b"P6 %d %d 255\n" % (record.width, record.height) + plain)
    except OSError as error:
        raise ConfigError(f"cannot write into {args.to}: {error.strerror}") from None
    _say(
        f"wrote {len(sealed.records)} crops of device {sealed.body['device']} to "
        f"{args.to}; they are in the clear now"
    )
    return 0


def _require_token(token: Token) -> None:
    first = in_time(FIRST_S, HANGS, lambda: next(iter(token.events()), None))
    if not isinstance(first, TokenIn):
        why = first.why if first is not None else ""
        raise UntrustedError(why or "there is not exactly one card in the reader")


def _token(args: argparse.Namespace) -> tuple[Token, str | None]:
    """The driver of the token, and the PIN if it needs one."""
    if args.fido2 is not None:
        from doorsill.consent.enrolled import read_enrolled
        from doorsill.drivers.token.fido import FidoToken

        _say("touch the key when it blinks")
        return FidoToken(read_enrolled(args.fido2)), None
    from doorsill.drivers.token.piv import PivToken

    ask_pin = getpass.getpass if sys.stdin.isatty() else _line
    return PivToken(args.reader), ask_pin("PIN of the card: ")


def _line(prompt: str) -> str:
    return sys.stdin.readline().strip()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
