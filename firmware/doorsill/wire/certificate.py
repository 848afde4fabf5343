"""What goes home of a blanking certificate: all of it, without one word of its own.

Every sentence of a certificate is a constant of ``certificates/claims.py``, and the
office knows the device, the certificate that signed, the names of media and purposes.
So a message holds only numbers, words of a list, hashes and ids of a fixed length. From
them ``certificates/compact.py`` builds the signed document again, to the byte.

The vault makes it and the uplink passes it on. What vision could change in it (how much
was sealed, when a lease ended) is counted in ``uplink/capacity.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.wire.rules import Flag, OrNull, Rows, Text, Whole, Word, Words, rule

LARGEST_BYTES = 4096  # of a message with a certificate
DISKS_LIMIT = 8  # that one message names
# How the kernel names disks: {} is a number, or the letter of a SCSI or virtual disk.
DISKS = (
    "mmcblk{}",
    "mmcblk{}boot0",
    "mmcblk{}boot1",
    "nvme{}n1",
    "sd{}",
    "vd{}",
    "xvd{}",
    "hd{}",
    "dm-{}",
    "md{}",
    "nbd{}",
    "sr{}",
    "fd{}",
)
LETTERED = ("sd{}", "vd{}", "xvd{}", "hd{}")
REASONS = (
    "start",
    "shutdown",
    "ordered",
    "removed",
    "reader-gone",
    "daemon-gone",
    "second-card",
    "card-error",
    "missed-beat",
    "bad-answer",
    "untrusted",
    "expired",
    "policy-changed",
    "clock",
    "line-low",
    "lamp",
    "limit",
    "medium",
    "new-medium",
    "power-back",
    "died",
)
MEDIA = ("memory", "file", "partition", "sram")
METHODS = ("key-destroyed", "discarded", "overwritten", "no-answer")

LATEST_MS = 253402300799000  # the end of the year 9999, UTC
LARGEST_MEDIUM = 1 << 30  # bytes
CROPS_MOST = 10_000  # in one lease, under any policy

_SHA256 = Text("[0-9a-f]{64}", 256.0)
_TIME = Whole(0, LATEST_MS)
_BOOT = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One blanking certificate; its key is (device, counter, signature).

    Fields that begin with ``lease`` are null where nothing was open before.
    """

    schema: int = rule(Whole(1, 1), default=1)
    counter: int = rule(Whole(1, 2**31 - 1))
    previous: str = rule(_SHA256)  # of the certificate before it
    signature_r: str = rule(_SHA256)  # both halves of the ES256 signature
    signature_s: str = rule(_SHA256)
    signer: str = rule(_SHA256)  # of the device's certificate, DER
    release: str = rule(Text(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,3}", 24.0))
    firmware: str = rule(_SHA256)
    policy: str | None = rule(OrNull(_SHA256))
    boot: str = rule(Text(_BOOT, 128.0))
    time_ms: int = rule(_TIME)
    synchronised: bool = rule(Flag())
    reason: str = rule(Word(REASONS))
    medium: str = rule(Word(MEDIA))
    medium_named: str = rule(_SHA256)  # of the medium's name
    medium_bytes: int = rule(Whole(1, LARGEST_MEDIUM))
    methods: tuple[str, ...] = rule(Words(METHODS))
    key: str | None = rule(OrNull(Text("[0-9a-f]{32}", 128.0)))
    blank: bool = rule(Flag())
    read_back: str | None = rule(OrNull(_SHA256))  # null where it follows from the rest
    swap_bytes: int = rule(Whole(0, 2**53 - 1))
    core_dumps: str = rule(Word(("off", "not known")))
    journal: str = rule(Word(("volatile", "persistent", "none")))
    disks: tuple[dict[str, int], ...] = rule(
        Rows(
            (
                ("kind", Whole(0, len(DISKS) - 1)),
                ("number", Whole(0, 255)),
                ("sectors", Whole(0, 2**42)),
            ),
            DISKS_LIMIT,
        )
    )
    lease_opened_ms: int | None = rule(OrNull(_TIME))
    lease_closed_ms: int | None = rule(OrNull(_TIME))
    lease_card: str | None = rule(OrNull(_SHA256))
    lease_purpose: str | None = rule(OrNull(_SHA256))  # of the purpose's name
    lease_sealed: int | None = rule(OrNull(Whole(0, CROPS_MOST)))
    lease_sealed_bytes: int | None = rule(OrNull(Whole(0, LARGEST_MEDIUM)))
    lease_exported: int | None = rule(OrNull(Whole(0, CROPS_MOST)))
