"""The form of a blanking certificate, each bound from both sides, and its dates."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from devices import BEGIN, SIZE, DeviceCA, blanking

from doorsill.certificates import claims, contradictions, examine
from doorsill.certificates.examine import check_form, check_head_form
from doorsill.device.identity import Identity
from doorsill.documents import canonical
from doorsill.errors import UntrustedError
from doorsill.vault.chain import CertificateChain

CA = DeviceCA()
LATEST_MS = 253_402_300_799_000  # 9999-12-31 23:59:59
JSON_MOST = 2**53 - 1  # as far as every reader of JSON keeps a whole number
Body = dict[str, Any]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return CA.device(tmp_path_factory.mktemp("door") / "id", "door-7")


@pytest.fixture
def body(tmp_path: Path, door: Identity) -> Body:
    chain = CertificateChain(tmp_path, door)
    chain.append(blanking(chain))
    return canonical.split((tmp_path / "0000000001.json").read_bytes())[0]


@pytest.fixture
def head(tmp_path: Path, body: Body) -> Body:
    return canonical.split((tmp_path / "head.json").read_bytes())[0]


def put(body: Body, path: str, value: Any) -> Body:
    *steps, last = path.split(".")
    table: Any = body
    for step in steps:
        table = table[int(step) if step.isdecimal() else step]
    table[last] = value
    return body


def refused(
    check: Callable[[Body], object], body: Body, path: str, value: Any, words: str = ""
) -> None:
    with pytest.raises(UntrustedError) as caught:
        check(put(body, path, value))
    name = path.rpartition(".")[2]
    assert name in str(caught.value) and words in str(caught.value)


NUMBERS = [
    ("counter", 1, 2**31 - 1),
    ("medium.size", 1, 1 << 30),
    ("read_back.blocks", 0, (1 << 30) // 4096),
    ("read_back.block_bytes", 4096, 4096),
    ("time.utc_ms", 0, LATEST_MS),
    ("system.swap_bytes", 0, JSON_MOST),
    ("system.sectors_written.mmcblk0", 0, JSON_MOST),
    ("leases.0.sealed", 0, 2**31 - 1),
    ("leases.0.sealed_bytes", 0, JSON_MOST),
    ("leases.0.exported", 0, 2**31 - 1),
]


@pytest.mark.parametrize(
    ("path", "least", "most"), NUMBERS, ids=[n[0] for n in NUMBERS]
)
def test_a_number_is_within_its_bounds_both_included(
    body: Body, path: str, least: int, most: int
) -> None:
    for good in (least, most):
        check_form(put(body, path, good))
    refused(check_form, body, path, least - 1, f"below the minimum of {least}")
    refused(check_form, body, path, most + 1, f"above the maximum of {most}")


def test_a_lease_is_of_any_time_and_does_not_end_before_it_begins(body: Body) -> None:
    for opened, closed in ((0, 0), (0, LATEST_MS), (LATEST_MS, LATEST_MS)):
        put(body, "leases.0.opened_ms", opened)
        check_form(put(body, "leases.0.closed_ms", closed))
    refused(check_form, body, "leases.0.closed_ms", LATEST_MS - 1, "below the minimum")
    refused(check_form, body, "leases.0.closed_ms", LATEST_MS + 1, "above the maximum")
    put(body, "leases.0.closed_ms", LATEST_MS)
    refused(check_form, body, "leases.0.opened_ms", LATEST_MS + 1, "above the maximum")
    refused(check_form, body, "leases.0.opened_ms", -1, "below the minimum of 0")


TEXTS = [
    ("device", 16, "x"),
    ("device_certificate", 8192, "A"),
    ("tool", 64, "x"),
    ("nist_class", 32, "x"),
    ("nist_words", 1000, "x"),
    ("medium.identity", 200, "x"),
    ("system.core_dumps", 200, "x"),
    ("leases.0.purpose", 32, "x"),
]


@pytest.mark.parametrize(
    ("path", "most", "letter"), TEXTS, ids=[each[0] for each in TEXTS]
)
def test_a_text_is_no_longer_than_it_may_be(
    body: Body, path: str, most: int, letter: str
) -> None:
    check_form(put(body, path, letter * most))
    refused(check_form, body, path, letter * (most + 1), f"the limit is {most}")


HASHES = [
    ("previous", 64),
    ("firmware", 64),
    ("policy", 64),
    ("read_back.seed", 64),
    ("read_back.sha256", 64),
    ("leases.0.card", 64),
    ("key.id", 32),
]


@pytest.mark.parametrize(("path", "digits"), HASHES, ids=[each[0] for each in HASHES])
def test_a_hash_has_its_length(body: Body, path: str, digits: int) -> None:
    check_form(put(body, path, "0" * digits))
    refused(check_form, body, path, "0" * (digits - 1), "does not match")
    refused(check_form, body, path, "0" * (digits + 1), f"the limit is {digits}")
    refused(check_form, body, path, "A" * digits, "does not match")


def test_a_boot_has_its_length(body: Body) -> None:
    check_form(put(body, "boot", "0" * 36))
    refused(check_form, body, "boot", "0" * 35, "does not match")
    refused(check_form, body, "boot", "0" * 37, "the limit is 36")


WORDS = [
    ("format", [claims.FORMAT], 32),
    ("reason", list(claims.REASONS), 32),
    ("leases.0.reason", list(claims.REASONS), 32),
    ("medium.kind", list(claims.MEDIA), 16),
    ("time.source", [claims.SYNCHRONISED, claims.NOT_SYNCHRONISED], 100),
    ("system.journal", ["volatile", "persistent", "none"], 16),
]


@pytest.mark.parametrize(
    ("path", "words", "most"), WORDS, ids=[each[0] for each in WORDS]
)
def test_a_word_is_one_of_a_few(
    body: Body, path: str, words: list[str], most: int
) -> None:
    for word in words:
        check_form(put(body, path, word))
        assert len(word) <= most
    refused(check_form, body, path, f"{words[0]}x", "does not match")
    refused(check_form, body, path, "x" * (most + 1), f"the limit is {most}")


LISTS = [("methods", 8), ("limits", 16)]


@pytest.mark.parametrize(("path", "most"), LISTS, ids=[each[0] for each in LISTS])
def test_a_list_is_no_longer_than_it_may_be(body: Body, path: str, most: int) -> None:
    letters = ["x" * (number + 1) for number in range(most + 1)]
    check_form(put(body, path, letters[:most]))
    refused(check_form, body, path, letters, f"the limit is {most}")


def test_a_method_is_a_word(body: Body) -> None:
    check_form(put(body, "methods", ["x" * 32]))
    for wrong in ("x" * 33, "", "X"):
        refused(check_form, body, "methods", [wrong], "not matching")


def test_there_are_a_thousand_leases_at_most(body: Body) -> None:
    lease = body["leases"][0]
    check_form(put(body, "leases", [lease] * 1000))
    refused(check_form, body, "leases", [lease] * 1001, "the limit is 1000")


def test_there_are_32_disks_at_most_and_each_has_the_name_of_one(body: Body) -> None:
    path = "system.sectors_written"
    check_form(put(body, path, {f"sd{number}": 1 for number in range(32)}))
    many = {f"sd{number}": 1 for number in range(33)}
    refused(check_form, body, path, many, "names 33 disks; the limit is 32")
    check_form(put(body, path, {"x" * 32: 1}))
    for wrong in ("x" * 33, "", "sd a", "../sd"):
        refused(check_form, body, path, {wrong: 1}, "which is no disk")
    refused(check_form, body, path, {"y" * 50: 1}, f"{'y' * 40!r}, which")


TABLES = ["", "medium", "key", "read_back", "time", "system", "leases.0"]


@pytest.mark.parametrize("table", TABLES)
def test_no_table_holds_a_stranger_and_none_lacks_a_part(
    body: Body, table: str
) -> None:
    inside: Any = body
    for step in table.split(".") if table else ():
        inside = inside[int(step) if step.isdecimal() else step]
    for name in list(inside):
        value = inside.pop(name)
        if name not in ("format", "signature"):
            with pytest.raises(UntrustedError, match=name):
                check_form(body)
        inside[name] = value
    check_form(body)
    inside["stranger"] = 1
    with pytest.raises(UntrustedError, match="stranger is not an option"):
        check_form(body)


@pytest.mark.parametrize("path", ["key.destroyed", "read_back.blank"])
def test_yes_is_true_and_nothing_else(body: Body, path: str) -> None:
    for wrong in (1, "true", None):
        refused(check_form, body, path, wrong, "true or false")


def test_the_head_has_its_form(head: Body) -> None:
    check_head_form(head)
    for path, least, most in (("counter", 1, 2**31 - 1), ("utc_ms", 0, LATEST_MS)):
        good = head[path]
        for value in (least, most):
            check_head_form(put(head, path, value))
        refused(check_head_form, head, path, least - 1, "below the minimum")
        refused(check_head_form, head, path, most + 1, "above the maximum")
        head[path] = good
    for path, value in (("device", "x" * 16), ("sha256", "0" * 64)):
        good = head[path]
        check_head_form(put(head, path, value))
        refused(check_head_form, head, path, f"{value}0", f"the limit is {len(value)}")
        head[path] = good
    refused(check_head_form, head, "stranger", 1, "is not an option")
    with pytest.raises(UntrustedError, match="not the head of a chain"):
        check_head_form(head | {"format": claims.FORMAT})


@pytest.mark.parametrize(
    ("seconds", "source", "good"),
    [
        pytest.param(0, claims.SYNCHRONISED, True, id="its first second"),
        pytest.param(-1, claims.SYNCHRONISED, False, id="a second before"),
        pytest.param(-1, claims.NOT_SYNCHRONISED, True, id="before, without a clock"),
        pytest.param(3650 * 86_400, claims.NOT_SYNCHRONISED, True, id="its last"),
        pytest.param(3650 * 86_400 + 1, claims.NOT_SYNCHRONISED, False, id="after it"),
    ],
)
def test_the_signer_was_in_date(
    body: Body, door: Identity, seconds: int, source: str, good: bool
) -> None:
    at = BEGIN + datetime.timedelta(seconds=seconds)
    put(body, "time", {"utc_ms": int(at.timestamp() * 1000), "source": source})
    if good:
        examine.check_date(body, door.certificate)
    else:
        with pytest.raises(UntrustedError, match=f"not in date on {at:%Y-%m-%d}"):
            examine.check_date(body, door.certificate)


@pytest.mark.parametrize(
    ("reason", "changes", "words"),
    [
        ("removed", {"sealed": 10_000, "sealed_bytes": 10_000 * 220}, ""),
        ("removed", {"sealed": 10_001, "sealed_bytes": 10_001 * 220}, "over 10000"),
        ("removed", {"sealed": 1, "sealed_bytes": 220}, ""),
        ("removed", {"sealed": 1, "sealed_bytes": 219}, "cannot be 1 sealed"),
        ("removed", {"sealed": 1, "sealed_bytes": 786_460}, ""),
        ("removed", {"sealed": 1, "sealed_bytes": 786_461}, "cannot be 1 sealed"),
        ("removed", {"sealed": 99, "sealed_bytes": 4 << 20}, ""),
        ("removed", {"sealed": 99, "sealed_bytes": (4 << 20) + 1}, "onto a medium of"),
        ("removed", {"sealed": 1, "sealed_bytes": 220, "exported": 9}, ""),
        ("died", {"sealed": 0, "sealed_bytes": 0}, ""),
        ("died", {"sealed": 1, "sealed_bytes": 0}, "knows how much was sealed"),
        ("died", {"sealed": 0, "sealed_bytes": 1}, "knows how much was sealed"),
        (
            "died",
            {"sealed": 0, "sealed_bytes": 0, "exported": 1},
            "knows how much was sealed",
        ),
    ],
)
def test_what_was_sealed_can_be_or_is_refused(
    body: Body, reason: str, changes: dict[str, int], words: str
) -> None:
    """On 4 MiB; a crop has 8 to 512 pixels a side."""
    size = 10_000 * 220 if changes["sealed"] > 9999 else 4 << 20
    put(body, "medium.size", max(size, SIZE))
    body["reason"] = body["leases"][0]["reason"] = reason
    if reason == claims.DIED:
        body["leases"][0]["opened_ms"] = body["leases"][0]["closed_ms"]
    body["leases"][0].update(changes)
    if not words:
        contradictions.check_alone(body)
        return
    with pytest.raises(UntrustedError, match=words):
        contradictions.check_alone(body)
