"""A FIDO2 key as a consent token: it is touched once, then answers silently.

The touch is the deliberate act; the silent answers (CTAP 2.1, 6.2: ``up`` false) show
each second that the key is still there. Which keys are ours is read from the files of
``consent/enrolled.py``; the commands to a key are in ``ctap.py``. Its sealing key is
derived from hmac-secret, after a touch, and forgotten.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import hashlib
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.consent.challenge import Answer, Challenge
from doorsill.consent.enrolled import Enrolled
from doorsill.consent.gate import TOUCH_S
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError, TokenEvent, TokenIn, TokenOut
from doorsill.drivers.token.ctap import (
    derive_sealing_key,
    enrol,
    get_assertion,
    token_error,
    wants_pin,
)
from doorsill.drivers.token.fido_ports import (
    Finder,
    keys_refused,
    plugged_in,
    refusal_of,
)
from doorsill.errors import ConfigError

try:
    from fido2.ctap import CtapDevice, CtapError
    from fido2.ctap2.base import AssertionResponse
except ImportError:
    raise ConfigError("FIDO2 keys need fido2: pip install 'doorsill[pi]'") from None

SPEAK_S = TOUCH_S + 30.0  # a command waits this long for the one before it
# What python-fido2 raises where a key's answer is no CTAP, or its CBOR is torn.
NONSENSE = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
)
POLL_S = 0.02  # between two checks of the device files: that of a pulled key is gone

T = TypeVar("T")


class FidoToken:
    """The one FIDO2 key that is plugged in, if the controller enrolled it.

    The thread that waits for keys never touches the device that another thread uses: a
    handle that is closed during a call may belong to another file at the next call.
    """

    def __init__(
        self, enrolled: tuple[Enrolled, ...], finder: Finder = plugged_in
    ) -> None:
        if not enrolled:
            raise ConfigError("no FIDO2 key is enrolled; `doorsill consent issue` does")
        self._enrolled = {each.credential: each for each in enrolled}
        self._finder = finder
        self._closed = threading.Event()
        self._place: tuple[int, str | None] = 0, None  # which change, and the one key
        self._opened: tuple[int, CtapDevice] | None = None  # at which change
        self._speaking = threading.Lock()
        self._mine: Enrolled | None = None

    def events(self) -> Iterator[TokenEvent]:
        """Keys that are plugged in and pulled, seen within POLL_S."""
        before: frozenset[str] | None = None
        given: Reason | None = None
        while not self._closed.is_set():
            names = frozenset(self._finder())
            if names != before:
                now, before = time.monotonic(), names
                path = next(iter(names)) if len(names) == 1 else None
                self._place = self._place[0] + 1, path
                if path is not None:
                    given = None
                    yield TokenIn(path, now)
                else:
                    reason = Reason.SECOND_CARD if names else Reason.REMOVED
                    if reason is not given:
                        yield TokenOut(reason, now)
                    given = reason
            self._closed.wait(POLL_S)

    def certificate(self) -> bytes:
        """The certificate, from our files, of the credential that the key signs by."""
        allowed = list(self._enrolled)
        response = self._assert(allowed, hashlib.sha256(b"who is it").digest())
        named = self._guard(lambda: bytes(_id_of(response) or allowed[0]))
        self._mine = self._enrolled.get(named)
        if self._mine is None:
            raise TokenError(Reason.UNTRUSTED, "the FIDO2 key is not enrolled here")
        return self._mine.presence

    def sealing_certificate(self) -> bytes:
        """The second certificate of our files; empty where there is none."""
        return self._mine.sealing if self._mine is not None else b""

    def sign(self, challenge: Challenge) -> Answer:
        """The key's assertion; the first of a session waits for the touch."""
        if self._mine is None:
            raise TokenError(Reason.REMOVED, "there is no enrolled FIDO2 key")
        found = self._assert([self._mine.credential], challenge.digest, challenge.touch)
        return Answer(found.signature, bytes(found.auth_data))

    def unwrap(self, peer_public: bytes, pin: str | None = None) -> bytes:
        """ECDH of the derived sealing key with ``peer_public``; wants a touch."""
        self.certificate()
        if self._mine is None:
            raise TokenError(Reason.REMOVED, "there is no enrolled FIDO2 key")
        credential = self._mine.credential
        key = self._guard(lambda: derive_sealing_key(self._open(), credential))
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer_public)
        return key.exchange(ec.ECDH(), peer)

    @property
    def hangs(self) -> bool:
        """Never: nothing stands between the key and us."""
        return False

    def close(self) -> None:
        """End the events and let go of the key; one that hangs is not waited for."""
        self._closed.set()
        if self._speaking.acquire(blocking=False):
            self._hang_up()
            self._speaking.release()

    def _assert(
        self, allowed: list[bytes], digest: bytes, touch: bool = False
    ) -> AssertionResponse:
        cancel = threading.Event()
        timer = threading.Timer(TOUCH_S, cancel.set)
        timer.daemon = True
        timer.start()
        try:
            return self._guard(
                lambda: get_assertion(self._open(), allowed, digest, touch, cancel)
            )
        finally:
            timer.cancel()

    def _open(self) -> CtapDevice:
        """Open the device of the key that is there now; the caller holds the lock."""
        change, path = self._place
        if self._opened is not None and self._opened[0] != change:
            self._hang_up()
        if path is None:
            raise TokenError(Reason.REMOVED, "there is no FIDO2 key")
        if self._opened is None:
            opener = self._finder().get(path)
            if opener is None:
                raise TokenError(Reason.REMOVED, "the FIDO2 key was pulled")
            self._opened = change, opener()
        return self._opened[1]

    def _guard(self, work: Callable[[], T]) -> T:
        """Do ``work``; raises everything that the key does wrong as a TokenError."""
        if not self._speaking.acquire(timeout=SPEAK_S):
            raise TokenError(
                Reason.MISSED_BEAT, f"the FIDO2 key is busy for more than {SPEAK_S:g} s"
            )
        try:
            return work()
        except CtapError as error:
            raise token_error(error) from None
        except (OSError, ConnectionError):
            self._hang_up()
            raise TokenError(Reason.REMOVED, "the FIDO2 key was pulled") from None
        except NONSENSE as error:
            self._hang_up()
            raise TokenError(
                Reason.CARD_ERROR, f"the FIDO2 key talks nonsense: {error}"
            ) from None
        finally:
            self._speaking.release()

    def _hang_up(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()


def _id_of(response: AssertionResponse) -> bytes | None:
    """Which credential answered; None where the key was asked for one alone."""
    return (response.credential or {}).get("id")


@dataclass(frozen=True, slots=True)
class Made:
    """A credential that was just made on a key."""

    credential: bytes
    public: ec.EllipticCurvePublicKey
    sealing: ec.EllipticCurvePublicKey


def enrol_one(finder: Finder, holder: str, ask_pin: Callable[[], str | None]) -> Made:
    """Make a credential on the one key that is plugged in; it wants two touches.

    ``ask_pin`` is called where the key has a PIN. Raises ConfigError, which says what
    to do.
    """
    keys = finder()
    if not keys and finder is plugged_in and (refused_keys := keys_refused()):
        raise ConfigError(refusal_of(refused_keys[0]))
    if len(keys) != 1:
        raise ConfigError(f"{len(keys)} FIDO2 keys are plugged in; it must be 1")
    try:
        with next(iter(keys.values()))() as device:
            pin = ask_pin() if wants_pin(device) else None
            credential, public = enrol(device, holder, pin)
            return Made(
                credential, public, derive_sealing_key(device, credential).public_key()
            )
    except CtapError as error:
        raise ConfigError(str(token_error(error))) from None
    except (OSError, ConnectionError):
        raise ConfigError("the FIDO2 key was pulled half-way; do the same again") from (
            None
        )
    except NONSENSE as error:
        raise ConfigError(f"the FIDO2 key talks nonsense: {error}") from None
