"""The fixed words of a blanking certificate: what may be claimed, and what may not.

Both the vault, which writes certificates, and the stand-alone verifier read this file,
so that neither can say more than it says here.
"""

from __future__ import annotations

import hashlib

from doorsill.consent.reasons import WORDS


def printable(text: str) -> str:
    """At most 200 printable ASCII characters of ``text``, "?" for any other."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:200])


FORMAT = "doorsill-blanking/1"
HEAD_FORMAT = "doorsill-blanking-head/1"
FIRST = "0" * 64  # what the first certificate names as its predecessor
BLOCK_BYTES = 4096  # of a block in a read-back
LARGEST_MEDIUM = 1 << 30  # bytes

MEDIA = ("memory", "file", "partition", "sram")
NO_ANSWER = "no-answer"
METHODS = ("key-destroyed", "discarded", "overwritten", NO_ANSWER)
DISCARDABLE = ("partition",)  # a discarded file would lose its blocks unwritten
VOLATILE = ("sram",)  # media whose power can be cut, so that they do not answer
CLASS = "Clear"
CLASS_WORDS = (
    "Clear in the sense of NIST SP 800-88 Rev. 2: the key was overwritten where one "
    "existed, then every block that software can address, through the normal "
    "interface, and all of it read back. Not Purge, not Destroy: no statement is made "
    "about copies that a storage controller may keep out of software's reach."
)
FILE_CLASS = "Clear, of one file only"
FILE_WORDS = (
    "Clear in the sense of NIST SP 800-88 Rev. 2 for the blocks that the file lay in "
    "when it was overwritten, and for nothing else: the key was overwritten where one "
    "existed, then the file where it lies, and all of it read back. No statement is "
    "made about blocks that the file lay in before the vault was started, about copies "
    "that a backup, a snapshot or a defragmentation made, or about copies that a "
    "storage controller may keep out of software's reach. Not Purge, not Destroy."
)
NOT_YET = "none yet"
NOT_YET_WORDS = (
    "No class of NIST SP 800-88 Rev. 2 is claimed yet. The key was overwritten where "
    "one existed. The memory did not answer, as when the interlock has cut its power, "
    "so nothing was overwritten and nothing was read back. Before the vault opens "
    "again all of it is, and the certificate of that says what was found."
)
SYNCHRONISED = "system clock, synchronised by NTP"
NOT_SYNCHRONISED = "system clock, not known to be synchronised"
DIED = "died"
REASONS = {
    **{str(reason): words for reason, words in WORDS.items()},
    DIED: "the vault had died while it was open, and its key with its memory",
}
LIMITS = (
    "This certificate states claims of the named device. It does not prove that the "
    "device ran the firmware that it names.",
    "The read-back shows what the medium returned to software. It does not show what a "
    "storage controller, a wear-levelled cell or a cold memory chip may still hold.",
    "It covers the vault's medium and key. It does not cover the camera, its image "
    "processor, or pictures taken by other equipment.",
    "What a person exported before is not blanked; it is sealed to the card and can be "
    "read with that card alone.",
    "A chain proves its own order and completeness up to its head. That no later "
    "certificate was held back shows only against a head recorded elsewhere.",
    "The time is the device's own, from the source that it names.",
)


def class_of(kind: str, answered: bool) -> tuple[str, str]:
    """The class of NIST SP 800-88 that a ``kind`` of medium may claim; its words."""
    if not answered:
        return NOT_YET, NOT_YET_WORDS
    return (FILE_CLASS, FILE_WORDS) if kind == "file" else (CLASS, CLASS_WORDS)


def read_back_seed(previous: str, counter: int, key_id: str | None) -> bytes:
    """The 32 bytes that the read-back hash starts with, bound to a place in the chain.

    So the hash of an earlier read-back, or of another medium's, is not valid here.
    """
    text = f"doorsill read-back|{previous}|{counter}|{key_id or 'none'}"
    return hashlib.sha256(text.encode()).digest()


def blank_digest(seed: bytes, size: int) -> str:
    """The hash that a read-back of ``size`` zero bytes must give."""
    found = hashlib.sha256(seed)
    whole, rest = divmod(size, 1 << 20)
    zeros = bytes(1 << 20)
    for _ in range(whole):
        found.update(zeros)
    found.update(zeros[:rest])
    return found.hexdigest()
