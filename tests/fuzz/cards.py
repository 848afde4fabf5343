"""What a card or a FIDO2 key answers; a script of answers, one after the other."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from doorsill.consent.challenge import Challenge
from doorsill.consent.enrolled import Enrolled
from doorsill.drivers.token import ctap as speech
from doorsill.drivers.token.apdu import tlv
from doorsill.drivers.token.fido import FidoToken
from doorsill.drivers.token.fido_fake import VirtualKey
from doorsill.drivers.token.piv_card import PRESENCE, PivCard

from .running import Parser

LENGTH = struct.Struct(">H")


def script(first: int, *answers: bytes) -> bytes:
    return bytes([first]) + b"".join(LENGTH.pack(len(a)) + a for a in answers)


def told(data: bytes) -> Iterator[bytes]:
    """The answers of a script, as far as it goes."""
    at = 1
    while at + LENGTH.size <= len(data):
        (size,) = LENGTH.unpack_from(data, at)
        yield data[at + LENGTH.size : at + LENGTH.size + size]
        at += LENGTH.size + size


def apdu(folder: Path) -> Parser:
    from cards import Controller

    der, ok = Controller().card().der, b"\x90\0"
    held = tlv(0x53, tlv(0x70, der) + tlv(0x71, b"\0") + tlv(0xFE, b""))
    packed = tlv(0x53, tlv(0x70, gzip.compress(der)) + tlv(0x71, b"\1"))
    signature = tlv(0x7C, tlv(0x82, b"\x30\x44" + bytes(68)))
    point = tlv(0x7F49, tlv(0x86, b"\4" + bytes(64)))
    work: list[Callable[[PivCard], Any]] = [
        lambda card: card.select(),
        lambda card: card.certificate(PRESENCE),
        lambda card: card.sign(bytes(32)),
        lambda card: card.agree(bytes(65)),
        lambda card: card.verify_pin("123456"),
        lambda card: card.generate(PRESENCE),
        lambda card: card.authenticate(bytes(24)),
        lambda card: card.put_certificate(PRESENCE, der),
    ]
    seeds = [
        script(0, ok),
        script(1, held[:250] + b"\x61\0", held[250:] + ok),
        script(1, packed + ok),
        script(2, signature + ok),
        script(3, b"\x6c\x10", signature + ok),
        script(4, b"\x63\xc3"),
        script(5, point + ok),
        script(6, tlv(0x7C, tlv(0x80, bytes(8))) + ok, signature + ok),
        script(7, ok, ok, ok),
    ]

    def feed(data: bytes) -> None:
        first, answers = (data[0] if data else 0), told(data)
        card = PivCard(lambda _: next(answers, b""), t0=bool(first & 0x80))
        work[first % len(work)](card)

    return Parser(seeds, feed)


def ctap(folder: Path) -> Parser:
    """The real python-fido2 between the script and us."""
    from cards import BINDING

    key = VirtualKey()
    credential, _ = speech.enrol(key, "Ana")
    question = Challenge(BINDING, "validation", 1.8e9, bytes(32), touch=False)
    mine = Enrolled(credential, b"x")
    heard: list[bytes] = []

    def token() -> FidoToken:
        made = FidoToken((mine,), key.plug)
        next(made.events())  # it is plugged in
        return made

    def known() -> FidoToken:
        made = token()
        trouble, key.trouble = key.trouble, None
        made.certificate()
        key.trouble = trouble
        return made

    work: list[Callable[[], Any]] = [
        lambda: token().certificate(),
        lambda: known().sign(question),
        lambda: token().unwrap(b"\4" + bytes(64)),
    ]

    def record(answer: bytes) -> bytes:
        heard.append(answer)
        return answer

    seeds = []
    for number in (0, 1):
        heard.clear()
        key.trouble = record
        work[number]()
        seeds.append(script(number, *heard))
    heard.clear()
    speech.derive_sealing_key(key, credential)
    seeds.append(script(2, *heard))

    def feed(data: bytes) -> None:
        answers = told(data)
        key.trouble = lambda _: next(answers, b"")
        work[(data[0] if data else 0) % len(work)]()

    return Parser(seeds, feed)
