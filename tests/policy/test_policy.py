"""A device does what its signed policy says, and nothing below the floors."""

import datetime
import math
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from policies import BODY, changed

from doorsill.documents import canonical
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.policy import document as policy
from doorsill.policy import hours
from doorsill.policy.acceptance import accept
from doorsill.policy.opening import DAYS, OpeningHours
from doorsill.policy.store import PolicyStore
from doorsill.privacy.floors import EPSILON_CEILING_PER_DAY, K_FLOOR

CONTROLLER = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())
KEY = CONTROLLER.public_key()


def signed(body: dict[str, Any], key: canonical.PrivateKey = CONTROLLER) -> bytes:
    return canonical.seal(body, key)


def at(text: str, timezone: str = "Europe/Lisbon") -> float:
    local = datetime.datetime.fromisoformat(text)
    return local.replace(tzinfo=ZoneInfo(timezone)).timestamp()


HERE = policy.Place("porto-1", "cam-01")
NOW = 1_800_000_000.0  # UTC s
CURRENT = accept(None, signed(BODY), KEY, HERE, NOW)


def test_a_good_policy_is_read_whole() -> None:
    assert CURRENT.version == 4 and CURRENT.site == "porto-1" and CURRENT.k == 12
    assert CURRENT.lines == (policy.Line("door", ((0.1, 0.5), (0.9, 0.5))),)
    assert [zone.kind for zone in CURRENT.zones] == ["count", "exclude"]
    assert CURRENT.hours[0] == OpeningHours((0, 1, 5), 540, 1200)
    assert CURRENT.consent is not None
    assert CURRENT.consent.purposes == ("validation",)
    assert CURRENT.digest == canonical.digest(BODY)


def test_what_may_be_left_out_may_be_left_out() -> None:
    body = changed(
        notice=..., attributes=False, consent=..., hours=..., zones=..., version=5
    )
    found = accept(signed(BODY), signed(body), KEY, HERE, NOW)
    assert (found.notice, found.consent, found.hours, found.zones) == (
        None,
        None,
        (),
        (),
    )


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("k below the floor", {"k": 2}, "policy.k = 2 is below the minimum of 10"),
    ("k not whole", {"k": 12.5}, "policy.k = 12.5; it must be a whole number"),
    ("k true", {"k": True}, "policy.k = True; it must be a whole number"),
    (
        "epsilon over the ceiling",
        {"epsilon_per_day": 50},
        "epsilon_per_day = 50 is above the maximum of",
    ),
    ("epsilon zero", {"epsilon_per_day": 0}, "below the minimum"),
    ("no notice", {"notice": ...}, "attributes = true needs policy.notice"),
    ("notice null", {"notice": None}, "attributes = true needs policy.notice"),
    ("notice empty", {"notice": ""}, "policy.notice = '' does not match"),
    ("attributes a text", {"attributes": "no"}, "must be true or false"),
    ("version 0", {"version": 0}, "policy.version = 0 is below the minimum of 1"),
    ("misspelt key", {"atributes": True}, "did you mean attributes?"),
    ("site missing", {"site": ...}, "policy.site is missing"),
    ("site in capitals", {"site": "Porto"}, "policy.site = 'Porto' does not match"),
    ("purpose two lines", {"purpose": "a\nb"}, "policy.purpose"),
    (
        "purpose too long",
        {"purpose": "a" * 201},
        "has 201 characters; the limit is 200",
    ),
    ("other format", {"format": "doorsill-policy/9"}, "policy.format"),
    ("no such timezone", {"timezone": "Mars/Base"}, "is not an IANA timezone"),
    ("the machine's own", {"timezone": "localtime"}, "is not an IANA timezone"),
    ("leap seconds", {"timezone": "right/Europe/Lisbon"}, "is not an IANA timezone"),
    ("a folder of zones", {"timezone": "Europe"}, "is not an IANA timezone"),
    ("nobody is named", {"controller": policy.PLACEHOLDER}, "names nobody yet"),
    (
        "nobody is named, in capitals",
        {"controller": policy.PLACEHOLDER.upper() + " "},
        "names nobody yet",
    ),
    (
        "live each second",
        {"live_seconds": 1},
        "policy.live_seconds = 1 is below the minimum of 2",
    ),
    ("devices in capitals", {"devices": ["CAM"]}, "policy.devices holds 'CAM'"),
    ("a model by its name", {"models": ["detector"]}, "policy.models holds 'detector'"),
    ("lamp a text", {"consent__lamp": "yes"}, "lamp = 'yes'; it must be true or f"),
    ("timezone a path", {"timezone": "../../etc/passwd"}, "policy.timezone"),
    (
        "line outside the picture",
        {"lines__0__points": [[0, 0], [1.2, 0]]},
        r"policy.lines\[0\].points has \[1.2, 0\] outside",
    ),
    (
        "line of no length",
        {"lines__0__points": [[0.5, 0.5], [0.5, 0.5]]},
        "a stretch of no length",
    ),
    (
        "line of one point",
        {"lines__0__points": [[0.5, 0.5]]},
        "has 1 points; the minimum is 2",
    ),
    ("point of three", {"lines__0__points": [[0, 0, 0], [1, 1, 1]]}, "list of points"),
    ("point of texts", {"lines__0__points": [["0", 0], [1, 1]]}, "list of points"),
    (
        "line id twice",
        {"lines": [BODY["lines"][0], BODY["lines"][0]]},
        "policy.lines holds the id door twice",
    ),
    (
        "polygon of two points",
        {"zones__0__polygon": [[0, 0], [1, 1]]},
        r"policy.zones\[0\].polygon has 2 points; the minimum is 3",
    ),
    (
        "polygon flat",
        {"zones__0__polygon": [[0, 0], [0.5, 0.5], [1, 1]]},
        "has no area",
    ),
    (
        "polygon upright",
        {"zones__0__polygon": [[0.5, 0], [0.5, 0.5], [0.5, 1]]},
        "has no area",
    ),
    (
        "polygon level",
        {"zones__0__polygon": [[0, 0.5], [0.5, 0.5], [1, 0.5]]},
        "has no area",
    ),
    ("zone of a third kind", {"zones__0__kind": "follow"}, r"zones\[0\].kind"),
    ("nothing to count", {"lines": ..., "zones": ...}, "nothing to count"),
    ("lines a table", {"lines": {"id": "door"}}, "policy.lines = .* must be a list"),
    ("a line that is a number", {"lines": [7]}, r"policy.lines\[0\] = 7; it must be"),
    ("too many lines", {"lines": BODY["lines"] * 9}, "has 9 entries; the limit is 8"),
    ("hours at 25", {"hours__0__opens": "25:00"}, "opens = '25:00' does not match"),
    ("expires on no day", {"expires": "2027-02-30"}, "expires = 2027-02-30 is no day"),
    ("expires in words", {"expires": "soon"}, "expires = 'soon' does not match"),
    ("expires a number", {"expires": 2027}, "policy.expires = 2027"),
    ("a holiday that no year has", {"holidays__0__date": "2026-02-30"}, "is no day"),
    ("a holiday in words", {"holidays__0__date": "christmas"}, "does not match"),
    ("a holiday twice", {"holidays__0__date": "2026-12-24"}, "2026-12-24 twice"),
    ("a holiday that opens", {"holidays__0__opens": "10:00"}, "stand together"),
    ("a holiday at 25", {"holidays__1__closes": "25:00"}, "closes = '25:00'"),
    ("hours on no day", {"hours__0__days": []}, "names no day"),
    ("hours on funday", {"hours__0__days": ["fun"]}, "holds 'fun'"),
    (
        "consent for no purpose",
        {"consent__purposes": []},
        "policy.consent.purposes names no purpose",
    ),
    (
        "consent for a day",
        {"consent__max_seconds": 86400},
        "max_seconds = 86400 is above the maximum of 14400",
    ),
    (
        "consent for a gigabyte",
        {"consent__max_bytes": 1 << 30},
        "is above the maximum of 67108864",
    ),
    (
        "consent for a crowd",
        {"consent__max_crops": 10**6},
        "is above the maximum of 10000",
    ),
    ("consent without a CA", {"consent__ca": ...}, "policy.consent.ca is missing"),
]


@pytest.mark.parametrize(
    ("changes", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_signed_but_impossible_policy_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        accept(None, signed(changed(**changes)), KEY, HERE, NOW)


def many(count: int, table: dict[str, Any]) -> list[dict[str, Any]]:
    """So many tables with an id each."""
    return [{**table, "id": f"n{index}"} for index in range(count)]


def texts(count: int, form: str = "{:x}") -> list[str]:
    return [form.format(index) for index in range(count)]


POINTS = [[index / 100, (index % 2) / 2] for index in range(33)]
CORNERS = [
    [0.5 + 0.4 * math.cos(index / 6), 0.5 + 0.4 * math.sin(index / 6)]
    for index in range(33)
]
HOUR = BODY["hours"][0]


def days(count: int) -> list[dict[str, str]]:
    first = datetime.date(2027, 1, 1)
    step = datetime.timedelta(days=1)
    return [{"date": str(first + number * step)} for number in range(count)]


BOUNDS: list[tuple[str, Any, Any]] = [
    ("version", 1, 0),
    ("version", 2**31 - 1, 2**31),
    ("site", "s" * 16, "s" * 17),
    ("purpose", "p" * 200, "p" * 201),
    ("controller", "c" * 200, "c" * 201),
    ("notice", "n" * 64, "n" * 65),
    ("timezone", "Etc/" + "UTC", "Etc/" + "U" * 40),
    ("k", 10, 9),
    ("k", 1000, 1001),
    ("epsilon_per_day", 0.01, 0.009),
    ("epsilon_per_day", 2, 2.001),
    ("live_seconds", 2, 1),
    ("live_seconds", 3600, 3601),
    ("devices", texts(100), texts(101)),
    ("models", texts(16, "{:064x}"), texts(17, "{:064x}")),
    ("models", ["a" * 64], ["a" * 63]),
    ("lines", many(8, BODY["lines"][0]), many(9, BODY["lines"][0])),
    ("zones", many(16, BODY["zones"][0]), many(17, BODY["zones"][0])),
    ("hours", [HOUR] * 28, [HOUR] * 29),
    ("holidays", days(100), days(101)),
    ("lines__0__id", "i" * 16, "i" * 17),
    ("lines__0__points", POINTS[:32], POINTS),
    ("lines__0__points", POINTS[:2], POINTS[:1]),
    ("lines__0__points", [[0, 0], [1, 1]], [[0, 0], [1, 1.0001]]),
    ("lines__0__points", [[0, 0], [1, 1]], [[-0.0001, 0], [1, 1]]),
    ("zones__0__polygon", CORNERS[:32], CORNERS),
    ("zones__0__polygon", CORNERS[:3], CORNERS[:2]),
    ("zones__0__id", "i" * 16, "i" * 17),
    ("hours__0__days", list(DAYS), [*DAYS, "mon"]),
    ("hours__0__closes", "24:00", "24:01"),
    ("consent__purposes", texts(8), texts(9)),
    ("consent__purposes", ["p" * 32], ["p" * 33]),
    ("consent__ca", "a" * 64, "a" * 65),
    ("consent__revoked", texts(1000), texts(1001)),
    ("consent__revoked", ["a" * 40], ["a" * 41]),
    ("consent__max_seconds", 1, 0),
    ("consent__max_seconds", 4 * 3600, 4 * 3600 + 1),
    ("consent__max_bytes", 4096, 4095),
    ("consent__max_bytes", 64 << 20, (64 << 20) + 1),
    ("consent__max_crops", 1, 0),
    ("consent__max_crops", 10_000, 10_001),
]


@pytest.mark.parametrize(("name", "good", "bad"), BOUNDS)
def test_each_bound_holds_on_both_sides(name: str, good: Any, bad: Any) -> None:
    option = name.rpartition("__")[2]
    policy.parse(changed(**{name: good}))
    with pytest.raises(ConfigError, match=option):
        policy.parse(changed(**{name: bad}))


@pytest.mark.parametrize(
    "table",
    ["", "lines__0__", "zones__0__", "hours__0__", "holidays__0__", "consent__"],
)
def test_an_option_that_is_none_is_refused_in_each_table(table: str) -> None:
    with pytest.raises(ConfigError, match="colour is not an option"):
        policy.parse(changed(**{f"{table}colour": 1}))


@pytest.mark.parametrize(
    "name",
    ["lines__0__id", "lines__0__points", "zones__0__id", "zones__0__kind",
     "zones__0__polygon", "hours__0__days", "hours__0__opens", "hours__0__closes",
     "holidays__0__date",
     "consent__purposes", "consent__ca", "consent__revoked", "consent__max_seconds",
     "consent__max_bytes", "consent__max_crops", "format", "version", "site", "purpose",
     "controller", "attributes", "k", "epsilon_per_day", "timezone"],
)  # fmt: skip
def test_what_must_be_there_must_be_there(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name.rpartition('__')[2]} is missing"):
        policy.parse(changed(**{name: ...}))


@pytest.mark.parametrize("name", ["site", "lines__0__id", "zones__0__id"])
def test_a_name_that_is_too_long_is_told_its_limit(name: str) -> None:
    with pytest.raises(ConfigError, match="has 17 characters; the limit is 16"):
        policy.parse(changed(**{name: "n" * 17}))


def test_hours_that_close_when_they_open_are_the_whole_day() -> None:
    all_day = [{"days": ["mon"], "opens": "09:00", "closes": "09:00"}]
    found = policy.parse(changed(hours=all_day, timezone="UTC"))
    for local, is_open in (
        ("2026-06-01T08:59", False),
        ("2026-06-01T09:00", True),
        ("2026-06-01T23:59", True),
        ("2026-06-02T08:59", True),
        ("2026-06-02T09:00", False),
    ):
        assert hours.is_open(found, at(local, "UTC")) is is_open


def test_all_problems_are_said_at_once() -> None:
    body = changed(k=2, site=..., attributes="yes", lines__0__points=[[0, 0], [2, 2]])
    with pytest.raises(ConfigError) as caught:
        policy.parse(body)
    said = str(caught.value)
    for part in ("policy.k", "policy.site", "policy.attributes", "outside of the pict"):
        assert part in said
    assert said.count(";") - said.count("; it must") == 3


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        pytest.param(signed(changed(version=3)), "version 3 is not newer", id="older"),
        pytest.param(signed(BODY), "version 4 is not newer than 4", id="the same"),
        pytest.param(
            signed(changed(version=5), STRANGER), "other key", id="signed by another"
        ),
        pytest.param(
            signed(changed(version=5, site="braga-1")),
            "for site braga-1",
            id="other site",
        ),
        pytest.param(
            signed(changed(version=5)).replace(b'"k":12', b'"k":10'),
            "altered",
            id="altered",
        ),
        pytest.param(signed(changed(version=5))[:-1], "not canonical", id="cut short"),
        pytest.param(
            canonical.encode(changed(version=5)), "signed document", id="not signed"
        ),
        pytest.param(b"", "not canonical", id="empty"),
    ],
)
def test_an_untrusted_policy_is_refused_and_the_current_one_stays(
    tmp_path: Path, candidate: bytes, message: str
) -> None:
    store = PolicyStore(tmp_path / "policy.json", KEY, HERE)
    store.apply(signed(BODY))
    with pytest.raises(UntrustedError, match=message):
        accept(signed(BODY), candidate, KEY, HERE, NOW)
    with pytest.raises(UntrustedError, match=message):
        store.apply(candidate)
    assert store.load() == CURRENT


def test_no_altered_byte_is_applied() -> None:
    document = signed(changed(version=5))
    for index in range(len(document)):
        altered = bytearray(document)
        altered[index] ^= 1
        with pytest.raises(UntrustedError):
            accept(signed(BODY), bytes(altered), KEY, HERE, NOW)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.text("ab:/9"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*BODY, "x"]), inner, max_size=6)
        ),
    ),
    st.sampled_from([*BODY, "consent__ca", "lines__0__points", "hours__0__opens"]),
)
def test_no_value_anywhere_gets_past_the_floors_or_a_traceback(
    value: Any, name: str
) -> None:
    try:
        found = policy.parse(changed(**{name: value}))
    except DoorsillError:
        return
    assert found.k >= K_FLOOR
    assert 0 < found.epsilon_per_day <= EPSILON_CEILING_PER_DAY
    assert found.notice or not found.attributes


def test_a_machine_without_zones_is_not_told_of_a_wrong_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_zone(name: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(policy, "ZoneInfo", no_zone)
    monkeypatch.setattr(policy, "available_timezones", set)
    with pytest.raises(ConfigError, match="knows no time zones; install tzdata"):
        policy.parse(BODY)
    utc = policy.parse(changed(timezone="UTC"))
    assert hours.is_open(utc, at("2026-06-01T09:00", "UTC"))
    anywhere = policy.parse(changed(timezone="Mars/Base", hours=[], holidays=[]))
    assert hours.is_open(anywhere, 0.0)  # who is always open asks for no time


def test_a_number_of_any_length_is_a_problem_of_its_option() -> None:
    digits = 10**400
    for name in ("k", "epsilon_per_day", "version", "live_seconds"):
        with pytest.raises(ConfigError, match=f"policy.{name} = .* above the maximum"):
            policy.parse(changed(**{name: digits}))
    with pytest.raises(ConfigError, match="outside of the picture"):
        policy.parse(changed(lines__0__points=[[digits, 0], [0, -digits]]))


def test_the_store_says_when_nothing_is_in_force(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no policy is in force"):
        PolicyStore(tmp_path / "policy.json", KEY, HERE).load()


def test_a_policy_altered_on_disk_is_not_run(tmp_path: Path) -> None:
    store = PolicyStore(tmp_path / "policy.json", KEY, HERE)
    store.apply(signed(BODY))
    below = signed(changed(k=10), STRANGER)
    (tmp_path / "policy.json").write_bytes(below)
    with pytest.raises(UntrustedError):
        store.load()


def test_a_power_cut_leaves_the_old_policy_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PolicyStore(tmp_path / "policy.json", KEY, HERE)
    store.apply(signed(BODY))

    def cut(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", cut)
    with pytest.raises(ConfigError, match="No space left"):
        store.apply(signed(changed(version=5)))
    monkeypatch.undo()
    assert store.load() == CURRENT
    assert (
        PolicyStore(tmp_path / "policy.json", KEY, HERE)
        .apply(signed(changed(version=5)))
        .version
        == 5
    )
