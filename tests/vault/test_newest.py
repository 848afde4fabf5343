"""What the newest certificate decides for the next one: values in, an answer out."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from devices import AROUND, LEASE
from vaults import consent_policy

from doorsill.certificates import claims
from doorsill.consent.reasons import Reason
from doorsill.drivers.media.medium import MediumFacts
from doorsill.policy.document import Policy
from doorsill.vault import marker
from doorsill.vault.newest import Newest

DISK = MediumFacts("partition", "mmcblk0p4", 1 << 20)
KEY = "a" * 32
RIGHT = replace(AROUND, time_source=claims.SYNCHRONISED)
NONE = Newest(None)
FACES = consent_policy()
NO_FACES = replace(FACES, consent=None, digest="f" * 64)


def newest(**changes: Any) -> Newest:
    body: dict[str, Any] = {
        "reason": str(Reason.START),
        "boot": AROUND.boot,
        "medium": asdict(DISK),
        "methods": ["overwritten"],
        "key": {"id": KEY},
        "policy": None,
        "time": {"utc_ms": AROUND.utc_ms},
    }
    return Newest(body | changes)


@pytest.mark.parametrize(
    ("found", "key_id", "covers"),
    [
        pytest.param(newest(), KEY, True, id="the key that it destroyed"),
        pytest.param(newest(), "b" * 32, False, id="another key"),
        pytest.param(
            newest(key={"id": marker.UNKNOWN_KEY}),
            marker.UNKNOWN_KEY,
            False,
            id="a marker that could not be read names no key",
        ),
        pytest.param(NONE, KEY, False, id="no certificate yet"),
    ],
)
def test_a_marker_is_covered_by_the_certificate_of_its_key(
    found: Newest, key_id: str, covers: bool
) -> None:
    assert found.covers(key_id) is covers


@pytest.mark.parametrize(
    ("found", "same", "reason"),
    [
        pytest.param(newest(), True, Reason.START, id="the same start again"),
        pytest.param(
            newest(reason=str(Reason.NEW_MEDIUM)), True, Reason.START, id="a new medium"
        ),
        pytest.param(
            newest(reason=str(Reason.ORDERED)), False, Reason.START, id="an order"
        ),
        pytest.param(newest(boot="0" * 36), False, Reason.START, id="another boot"),
        pytest.param(
            newest(medium=asdict(replace(DISK, size=1 << 21))),
            False,
            Reason.NEW_MEDIUM,
            id="another medium",
        ),
        pytest.param(NONE, False, Reason.START, id="no certificate yet"),
    ],
)
def test_a_start_is_certified_once_for_each_boot_and_medium(
    found: Newest, same: bool, reason: Reason
) -> None:
    assert found.is_of_start(AROUND.boot, DISK, FACES) is same
    assert found.reason_of_start(DISK) is reason


@pytest.mark.parametrize(
    ("named", "policy", "same"),
    [
        pytest.param(FACES.digest, NO_FACES, False, id="a policy ended consent since"),
        pytest.param(NO_FACES.digest, NO_FACES, True, id="certified under that one"),
        pytest.param(NO_FACES.digest, FACES, True, id="a policy allows consent again"),
        pytest.param(FACES.digest, None, False, id="no policy at all any more"),
        pytest.param(None, None, True, id="there never was a policy"),
    ],
)
def test_a_policy_without_consent_is_named_by_a_certificate_of_its_own(
    named: str | None, policy: Policy | None, same: bool
) -> None:
    found = newest(policy=named)
    assert found.is_of_start(AROUND.boot, DISK, policy) is same


@pytest.mark.parametrize(
    ("found", "closed_ms", "utc_ms"),
    [
        pytest.param(NONE, 0, 0, id="nothing is known: as the clock says"),
        pytest.param(newest(), 0, 0, id="not before the last certificate"),
        pytest.param(
            newest(time={"utc_ms": AROUND.utc_ms + 9}), 0, 9, id="set back in this boot"
        ),
        pytest.param(
            newest(time={"utc_ms": AROUND.utc_ms + 9}, boot="0" * 36),
            0,
            0,
            id="another boot may begin earlier",
        ),
        pytest.param(newest(), 5, 5, id="set back while it was open"),
    ],
)
def test_the_time_of_a_certificate_never_goes_back(
    found: Newest, closed_ms: int, utc_ms: int
) -> None:
    lease = replace(LEASE, closed_ms=AROUND.utc_ms + closed_ms)
    stated = found.forward(RIGHT, (lease,))
    assert stated.utc_ms == AROUND.utc_ms + utc_ms
    if utc_ms:
        assert stated.time_source == claims.NOT_SYNCHRONISED
    else:
        assert stated == RIGHT


def test_what_was_without_power_is_said() -> None:
    assert newest(methods=[claims.NO_ANSWER]).is_silent
    assert not newest().is_silent and not NONE.is_silent
