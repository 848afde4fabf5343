"""What a crash leaves is believed as far as its form goes, and no further."""

import json
from pathlib import Path
from typing import Any

import pytest
from devices import LEASE, UTC_MS

from doorsill.certificates import claims
from doorsill.vault import marker
from doorsill.vault.marker import MARKER_NAME, UNKNOWN_KEY

KEY = "cd" * 16
DIED: dict[str, Any] = {
    "opened_ms": UTC_MS,
    "closed_ms": UTC_MS,
    "reason": claims.DIED,
    "card": "bb" * 32,
    "purpose": "validation",
    "sealed": 0,
    "sealed_bytes": 0,
    "exported": 0,
}


def left(folder: Path, data: object) -> marker.Died | None:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    (folder / MARKER_NAME).write_bytes(raw)
    return marker.read(folder)


def test_a_session_that_a_crash_cut_off_is_told(tmp_path: Path) -> None:
    assert marker.read(tmp_path) is None
    told = left(tmp_path, {"key_id": KEY, "lease": DIED})
    assert told is not None
    (lease,), key = told
    assert key == KEY and lease.opened_ms == UTC_MS and lease.purpose == "validation"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 3000, id="nested deep"),
        pytest.param([], id="a list"),
        pytest.param({"key_id": KEY}, id="no lease"),
        pytest.param({"key_id": "\ud800" * 32, "lease": DIED}, id="a lone surrogate"),
        pytest.param({"key_id": 7, "lease": DIED}, id="a number for a key"),
        pytest.param({"key_id": KEY, "lease": {**DIED, "more": 1}}, id="one more"),
        pytest.param({"key_id": KEY, "lease": {**DIED, "card": "x"}}, id="a bad card"),
        pytest.param({"key_id": KEY, "lease": {**DIED, "reason": []}}, id="a list why"),
        pytest.param({"key_id": KEY, "lease": {**DIED, "sealed": -1}}, id="minus one"),
        pytest.param({"key_id": KEY, "lease": {**DIED, "sealed": True}}, id="a flag"),
        pytest.param(
            {"key_id": KEY, "lease": {**DIED, "opened_ms": 10**400}}, id="far away"
        ),
    ],
)
def test_a_marker_that_is_unreadable_is_a_crash_of_which_nothing_is_known(
    tmp_path: Path, data: object
) -> None:
    assert left(tmp_path, data) == ((), UNKNOWN_KEY)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"reason": LEASE.reason}, id="not of a crash"),
        pytest.param({"closed_ms": UTC_MS + 1}, id="it knows when it died"),
        pytest.param({"sealed": 3}, id="it counted"),
        pytest.param({"sealed_bytes": 3}, id="it weighed"),
        pytest.param({"exported": 3}, id="it exported"),
    ],
)
def test_what_no_crash_leaves_is_not_told(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    assert left(tmp_path, {"key_id": KEY, "lease": {**DIED, **change}}) == ((), KEY)


def test_a_lease_of_tomorrow_is_not_believed_by_a_clock_that_is_right(
    tmp_path: Path,
) -> None:
    assert left(tmp_path, {"key_id": KEY, "lease": DIED}) != ((), KEY)
    assert marker.read(tmp_path, 0, UTC_MS - 1) == ((), KEY)
    assert marker.read(tmp_path, 0, UTC_MS) != ((), KEY)


def test_a_lease_of_when_the_chain_says_that_it_was_shut_is_not_believed(
    tmp_path: Path,
) -> None:
    left(tmp_path, {"key_id": KEY, "lease": DIED})
    assert marker.read(tmp_path, UTC_MS + 1) == ((), KEY)
    assert marker.read(tmp_path, UTC_MS) != ((), KEY)


def test_a_marker_that_is_a_folder_or_a_dead_link_is_one_too(tmp_path: Path) -> None:
    (tmp_path / MARKER_NAME).symlink_to(tmp_path / "nowhere")
    assert marker.read(tmp_path) == ((), UNKNOWN_KEY)
    (tmp_path / MARKER_NAME).unlink()
    (tmp_path / MARKER_NAME).mkdir()
    assert marker.read(tmp_path) == ((), UNKNOWN_KEY)
