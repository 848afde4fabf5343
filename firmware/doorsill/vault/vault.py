"""The vault: sealed crops on a medium, and a key that lives only while a card answers.

    start ─► blank ─► open ─► seal … ─► close ─► blank      a certificate each time

It decides nothing about consent: the gate does. It closes in this order: accept no more
crops, destroy the key, blank the medium, read all of it back, sign a certificate. If a
step fails, the key is destroyed all the same, and a vault that could not be blanked
never opens again. A volatile medium that has no power now is blanked and read back as
soon as it answers again, before anything else is written to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from doorsill.certificates import claims
from doorsill.certificates.contradictions import SLACK_MS
from doorsill.channels.crops import Crop
from doorsill.consent.events import Lease
from doorsill.consent.reasons import Reason
from doorsill.drivers.media.medium import Medium, NoAnswer, read_all
from doorsill.errors import UntrustedError
from doorsill.policy.document import Policy
from doorsill.vault import marker
from doorsill.vault.blanking import blank_and_read_back
from doorsill.vault.chain import Blanking, CertificateChain, LeaseInterval, Surroundings
from doorsill.vault.newest import Newest, allows_faces
from doorsill.vault.sealing import DataKey, new_key_id
from doorsill.vault.session import Record, Session, begin_interval

log = logging.getLogger(__name__)

VERIFIED = "blank (verified)"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a vault stands on."""

    medium: Medium
    chain: CertificateChain
    folder: Path  # where the marker of an open session lies
    observe: Callable[[], Surroundings]  # what the kernel says of this machine now
    utc_ms: Callable[[], int]  # the time now, UTC in ms


class Vault:
    """Call :meth:`start` first; nothing else works before it.

    Every method that blanks raises UntrustedError if the medium is not blank when it is
    read back. The certificate then says so, and the vault stays shut.
    """

    def __init__(self, ground: Ground, policy: Policy | None) -> None:
        self._ground = ground
        self._policy = policy
        self._ready = False  # the last blanking was read back as blank
        self.silent = False  # the medium had no power when it was to be blanked
        self.session: Session | None = None
        self.last: Path | None = None  # the newest certificate of this run

    @property
    def verified_blank(self) -> bool:
        """Whether it is shut, and the last blanking was read back as all zeros."""
        return self._ready and self.session is None

    @property
    def chain(self) -> CertificateChain:
        """The certificates of this vault."""
        return self._ground.chain

    @property
    def known_s(self) -> float:
        """The latest UTC in s that this vault has signed; now is not earlier."""
        return self._ground.chain.known_ms / 1000

    def start(self, was_zero: bool | None = None) -> None:
        """Blank what the last process left; to be called before anything else.

        ``was_zero`` says whether every byte was 0 when the caller read the medium, just
        before the caller blanked it; None if the caller did neither. Raises
        UntrustedError if the medium is not blank when it is read back.
        """
        around, facts = self._ground.observe(), self._ground.medium.facts
        right = around.time_source == claims.SYNCHRONISED
        earliest = self._ground.chain.known_ms - SLACK_MS
        latest = (around.utc_ms,) if right else ()
        died = marker.read(self._ground.folder, earliest, *latest)
        if died is not None and self._newest.covers(died[1]):
            marker.remove(self._ground.folder)
            died = None
        same = self._newest.is_of_start(around.boot, facts, self._policy)
        if died is not None:
            leases, key_id = died
            self._blank(claims.DIED, key_id, leases)
        elif same and self._is_unchanged(was_zero):
            # A vault that is started again and again must not fill the chain.
            self._ready = not self.silent
            log.info("vault still %s", "without power" if self.silent else VERIFIED)
        else:
            self._blank(str(self._newest.reason_of_start(facts)), None, ())

    def open(self, lease: Lease) -> None:
        """Make a key for ``lease``, so that crops can be sealed.

        Raises UntrustedError if the vault may not open: it is not verified blank, it is
        open already, the policy allows no consent, the chain is full, or the medium has
        no power (NoAnswer).
        """
        consent = self._policy.consent if self._policy else None
        if self.silent and self.session is None:
            self._ground.medium.blank()  # raises NoAnswer while it has no power
            self._blank(str(Reason.POWER_BACK), None, ())
        if not self._ready or self.session is not None or consent is None:
            raise UntrustedError("the vault is not verified blank, so it stays shut")
        if self._ground.chain.full:
            raise UntrustedError("the chain of certificates is full; the vault is shut")
        interval, key_id = begin_interval(lease, self._ground.utc_ms()), new_key_id()
        marker.write(self._ground.folder, interval, key_id)
        try:
            # The key comes last: a disk that stalls in the marker delays no key.
            self.session = Session(lease, interval, DataKey(key_id))
        except BaseException:
            marker.remove(self._ground.folder)
            raise
        log.info("vault open for %s", lease.card.purpose)

    def seal(self, crop: Crop) -> Record:
        """Seal ``crop`` onto the medium, and give its memory back.

        Raises UntrustedError if the vault is not open, the crop is over a limit of the
        policy, or the medium fails. The caller then closes the vault.
        """
        session = self.session
        if session is None:
            raise UntrustedError("the vault is blank: no card has just answered")
        self.require_room(crop.size)
        utc_ms = self._ground.utc_ms()
        draft = Record(session.used, 0, crop.width, crop.height, utc_ms)
        with crop.map() as pixels, memoryview(pixels) as plain:
            sealed = session.key.seal(plain, draft.context)
        offset = self._ground.medium.append(sealed)
        if offset != draft.offset:
            raise UntrustedError("the medium put a record in another place")
        record = replace(draft, size=len(sealed))
        session.records.append(record)
        session.used += len(sealed)
        return record

    def require_room(self, size: int) -> None:
        """Raise UntrustedError if one more crop of ``size`` bytes is over a limit."""
        session, consent = self.session, self._policy.consent if self._policy else None
        if session is None or consent is None:
            raise UntrustedError("the vault is blank: no card has just answered")
        if len(session.records) >= consent.max_crops:
            raise UntrustedError(f"{consent.max_crops} crops: the policy's limit")
        most = min(consent.max_bytes, self._ground.medium.facts.size)
        if session.used + size + 64 > most:
            raise UntrustedError(f"{most} bytes: the limit of policy and medium")

    def sever(self, reason: str | None) -> None:
        """Destroy the key and nothing else, from any thread; then :meth:`revoke`.

        It does not wait for a disk: what is being written is ciphertext without a key.
        """
        session = self.session
        if session is not None:
            session.key.destroy()
            session.severed_for = session.severed_for or reason

    @property
    def severed(self) -> bool:
        """Whether a session is open whose key is already destroyed."""
        session = self.session
        return session is not None and session.key.destroyed_at is not None

    def revoke(self) -> Session | None:
        """Accept no more crops and destroy the key, at once; then :meth:`finish`."""
        session, self.session = self.session, None
        if session is not None:
            self._ready = False
            session.key.destroy()
        return session

    def finish(self, session: Session | None, reason: str) -> Path | None:
        """Blank, read back and sign for the ``session`` that :meth:`revoke` gave.

        Returns the certificate, or None for no session. Raises UntrustedError if the
        medium is not blank when it is read back.
        """
        if session is None:
            return None
        interval = session.end_interval(reason, self._ground.utc_ms())
        return self._blank(reason, session.key.key_id, (interval,))

    def close(self, reason: str) -> Path | None:
        """Destroy the key, blank, read back, sign; None if nothing was open.

        Raises UntrustedError if the medium is not blank when it is read back.
        """
        return self.finish(self.revoke(), reason)

    def sealed_records(self) -> Iterator[bytes]:
        """Yield the sealed records as they lie on the medium, one by one.

        Raises UntrustedError if the medium cannot be read.
        """
        session = self.session
        for record in tuple(session.records) if session else ():
            yield self._ground.medium.read_back(record.offset, record.size)
            if session is not None:
                session.exported += 1

    def blank(self, reason: str) -> Path:
        """Blank now, open or not; always allowed. Returns the certificate.

        Raises UntrustedError if the medium is not blank when it is read back.
        """
        return self.close(reason) or self._blank(reason, None, ())

    def check(self) -> bool:
        """Read the medium back; whether it is as it must be, or has no power.

        While the vault is shut every byte must be 0. While it is open its newest
        records must be whole. A medium without power holds nothing that could be read;
        that is no fault, and it is blanked before it is used again. Raises
        UntrustedError if the medium cannot be read.
        """
        if self.session is not None:
            good = self.session.is_whole(self._ground.medium)
        else:
            try:
                good = read_all(self._ground.medium, b"")[1]
            except NoAnswer as error:
                log.info("%s", error)
                self._ready, self.silent = False, True
                return True
        log.info("medium read back: %s", "as it must be" if good else "NOT as it must")
        return good

    def rebind(self, policy: Policy) -> None:
        """Follow it, and blank if it ends consent; UntrustedError while open."""
        if self.session is not None:
            raise UntrustedError("the vault is open under another policy")
        before, self._policy = self._policy, policy
        if allows_faces(before) and not allows_faces(policy):
            self._blank(str(Reason.POLICY_CHANGED), None, ())

    def _blank(
        self, reason: str, key_id: str | None, leases: tuple[LeaseInterval, ...]
    ) -> Path:
        medium, chain = self._ground.medium, self._ground.chain
        self._ready = False
        found = blank_and_read_back(medium, chain.seed(key_id))
        self.silent = found.silent
        certificate = chain.append(
            Blanking(
                reason=reason,
                medium=medium.facts,
                methods=(("key-destroyed",) if key_id else ()) + found.methods,
                key_id=key_id,
                read_back_sha256=found.read_back_sha256,
                blank=found.blank,
                leases=leases,
                policy=self._policy.digest if self._policy else None,
                surroundings=self._newest.forward(self._ground.observe(), leases),
            )
        )
        self.last = certificate
        marker.remove(self._ground.folder)
        if found.silent:
            log.warning("the medium is without power: not read back yet")
            return certificate
        if found.fault is not None or not found.blank:
            raise UntrustedError(
                f"the medium is NOT blank: {found.fault or 'not zero when read back'}"
                f"; {certificate.name} says so, and the vault stays shut"
            )
        self._ready = True
        log.info("vault %s: %s", VERIFIED, claims.REASONS[reason])
        return certificate

    @property
    def _newest(self) -> Newest:
        return Newest(self._ground.chain.newest)

    def _is_unchanged(self, was_zero: bool | None) -> bool:
        """Whether the medium is as that certificate says: all zeros, or no power."""
        said_silent = self._newest.is_silent
        if was_zero:
            return not said_silent
        try:
            blank = read_all(self._ground.medium, b"")[1]
        except NoAnswer:
            self.silent = said_silent
            return said_silent
        return blank and was_zero is None and not said_silent
