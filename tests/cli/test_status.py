"""``doorsill status`` tells a technician what is red and what to do first."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from doorsill.channels.cell_link import CellServer
from doorsill.cli import status_asked
from doorsill.cli.main import run
from doorsill.cli.status import report
from doorsill.cli.status_asked import ROOT, Finding, Shop
from doorsill.config import Config
from doorsill.documents import canonical
from doorsill.policy.obedience import declare
from doorsill.policy.verdict import IN_FORCE, Verdict
from doorsill.services.policies import store_of
from doorsill.wire.messages import REFUSALS
from doorsill_fleet.stage.shop import Stage

LINE = (((0.0, 0.6), (1.0, 0.6)),)


@pytest.fixture
def shop(tmp_path: Path) -> tuple[Stage, Config]:
    stage = Stage(tmp_path, LINE)
    config = stage.set()
    for folder in (config.device.run, config.outbox.parent):
        folder.mkdir(parents=True)
    config.policy_in_force.parent.mkdir(parents=True)
    return stage, config


def findings(config: Config, now: datetime | None = None) -> dict[str, Finding]:
    return {each.what: each for each in report(config, now or datetime.now(UTC))}


def test_a_device_that_was_never_started_is_red_and_says_what_to_do(
    shop: tuple[Stage, Config],
) -> None:
    found = findings(shop[1])
    assert found["vision"].light == found["policy"].light == "red"
    assert "systemctl start" in found["vision"].step
    assert "no policy is in force" in found["policy"].says
    assert found["outbox"].light == "orange"


ANSWER: dict[str, Any] = {
    "problems": [],
    "vision": {
        "heard_s": 1.0,
        "picture": "fresh",
        "frame_rate": 12.4,
        "camera_restarts": 0,
    },
    "broker": {
        "connected": True,
        "answered_s": 3.0,
        "away": "",
        "refusal": "",
        "refused_s": None,
        "taken_over_s": None,
    },
    "disk_takes": True,
    "locks": ["seccomp", "landlock"],
}


def changed(**changes: Any) -> dict[str, Any]:
    """The answer of an uplink; a table is merged into its own."""
    answer = {**ANSWER}
    for name, value in changes.items():
        table = answer[name]
        answer[name] = {**table, **value} if isinstance(value, dict) else value
    return answer


@contextmanager
def running(config: Config, digest: str = "") -> Iterator[None]:
    """What a vision and an uplink leave for others to see: their locks."""
    held = digest or store_of(config).load().digest
    handles = [declare(config.declaration(name), held) for name in ("vision", "uplink")]
    yield
    for each in handles:
        os.close(each)


ASKED = [
    pytest.param("vision", {}, "green", "heard 1 s ago", id="it runs"),
    pytest.param(
        "vision", {"vision": {"heard_s": 99.0}}, "red", "it hangs", id="it hangs"
    ),
    pytest.param(
        "vision", {"vision": {"heard_s": None}}, "orange", "nothing of it yet", id="new"
    ),
    pytest.param("camera", {}, "green", "12.4 frames/s", id="frames come"),
    pytest.param(
        "camera", {"vision": {"picture": "none"}}, "red", "no frame", id="none"
    ),
    pytest.param(
        "camera", {"vision": {"picture": "old"}}, "red", "more than 10 s", id="old"
    ),
    pytest.param(
        "camera", {"vision": {"picture": "frozen"}}, "red", "the same", id="frozen"
    ),
    pytest.param(
        "camera", {"vision": {"picture": "unknown"}}, "orange", "yet", id="unknown"
    ),
    pytest.param(
        "camera", {"vision": {"picture": "closed"}}, "green", "hours", id="shut"
    ),
    pytest.param(
        "camera", {"vision": {"heard_s": 99.0}}, "orange", "not known", id="unheard"
    ),
    pytest.param("broker", {}, "green", "last answer 3 s ago", id="connected"),
    pytest.param(
        "broker",
        {"broker": {"connected": False, "away": "nobody listens at b:1"}},
        "orange",
        "nobody listens at b:1; what is counted is kept",
        id="away",
    ),
    pytest.param(
        "broker",
        {
            "problems": ["access"],
            "broker": {"refusal": "t/interval: not authorised", "refused_s": 5.0},
        },
        "red",
        "refused us 5 s ago: t/interval: not authorised",
        id="refused",
    ),
    pytest.param(
        "broker",
        {"problems": ["takeover"], "broker": {"taken_over_s": 5.0}},
        "red",
        "another client",
        id="second client",
    ),
    pytest.param("uplink", {}, "green", "no problem", id="well"),
    pytest.param(
        "uplink", {"problems": ["reader"]}, "orange", "reader", id="a problem"
    ),
]


@pytest.mark.parametrize(("row", "changes", "light", "words"), ASKED)
def test_what_the_uplink_answers_becomes_light_words_and_step(
    shop: tuple[Stage, Config],
    row: str,
    changes: dict[str, Any],
    light: str,
    words: str,
) -> None:
    _, config = shop
    store_of(config).take_over(config.policy.file)
    with running(config):
        looked = Shop(config, datetime.now(UTC), uplink=changed(**changes))
        found = getattr(status_asked, row)(looked)
    assert (found.what, found.light) == (row, light)
    assert words in found.says
    assert bool(found.step) == (light != "green")


@pytest.mark.parametrize("word", REFUSALS)
def test_a_policy_by_air_that_was_refused_is_said_with_the_next_step(
    shop: tuple[Stage, Config], word: str
) -> None:
    _, config = shop
    found = store_of(config).take_over(config.policy.file)
    config.verdict.write_bytes(Verdict(word, "ab" * 32, 1_800_000_000).spell())
    with running(config):
        row = findings(config)["policy"]
    assert row.light == "orange" and row.step
    assert "abababababababab, was refused 2027-01-15 08:00 UTC: " in row.says
    assert found.digest[:16] in row.says


def test_a_policy_whose_last_day_is_over_stays_and_is_said(
    shop: tuple[Stage, Config],
) -> None:
    stage, config = shop
    body = stage.policy_body() | {"version": 2, "expires": "2999-12-31"}
    store_of(config).apply(canonical.seal(body, stage.controller))
    config.verdict.write_bytes(Verdict(IN_FORCE, "ab" * 32, 1_800_000_000).spell())
    with running(config):
        assert findings(config)["policy"].light == "green"
        row = findings(config, datetime(3000, 1, 1, tzinfo=UTC))["policy"]
    assert row.light == "orange"
    assert "its last day was 2999-12-31, and it stays in force" in row.says


def test_a_policy_that_is_in_force_and_not_obeyed_is_red(
    shop: tuple[Stage, Config],
) -> None:
    _, config = shop
    store_of(config).take_over(config.policy.file)
    assert findings(config)["policy"].light == "orange"  # nobody runs
    with running(config):
        assert findings(config)["policy"].light == "green"
    with running(config, "ab" * 32):
        found = findings(config)["policy"]
    assert (found.light, found.step) == ("red", "systemctl restart doorsill.target")
    assert "vision obeys abababab" in found.says


def test_a_clock_that_is_too_early_is_red(shop: tuple[Stage, Config]) -> None:
    found = findings(shop[1], datetime(2001, 1, 1, tzinfo=UTC))
    assert (found["clock"].light, found["certificate"].light) == ("red", "red")
    assert "is the clock right?" in found["certificate"].says


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_told_to_run_as_root_and_nothing_worse() -> None:
    # Not below pytest's own folder, which it closes to others whenever it starts.
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), LINE)
        config = stage.set()
        config.outbox.parent.mkdir(parents=True)
        config.outbox.parent.chmod(0o700)
        stage.folder.chmod(0o755)
        found = status_of_nobody(stage)
    for row in ("uplink", "outbox", "broker"):
        assert (found[row]["light"], found[row]["step"]) == ("orange", ROOT), row


def status_of_nobody(stage: Stage) -> dict[str, dict[str, str]]:
    """What a user hears who owns nothing here."""
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    command += [sys.executable, "-m", "doorsill", "status", "--json"]
    done = subprocess.run(
        [*command, "--config", str(stage.configuration)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return {each["what"]: each for each in json.loads(done.stdout)}


def test_asking_does_not_throw_the_uplink_out(shop: tuple[Stage, Config]) -> None:
    from doorsill.channels.cell_link import CellClient

    _, config = shop
    server = CellServer(config.cell_socket)
    client = CellClient(config.cell_socket)
    server.poll()
    findings(config)
    server.poll()
    assert client.receive(0) is None  # still connected: else it raises
    client.close()
    server.close()


@pytest.mark.parametrize(
    ("days", "light"),
    [(0, "green"), (5000, "red")],
)
def test_a_certificate_is_judged_by_its_date(
    shop: tuple[Stage, Config], days: int, light: str
) -> None:
    now = datetime.now(UTC) + timedelta(days=days)
    assert findings(shop[1], now)["certificate"].light == light


def test_a_broken_outbox_is_red_and_left_alone(shop: tuple[Stage, Config]) -> None:
    _, config = shop
    config.outbox.write_bytes(b"this is no database" * 100)
    before = config.outbox.read_bytes()
    assert findings(config)["outbox"].light == "red"
    assert config.outbox.read_bytes() == before


def test_json_and_the_exit_code(
    shop: tuple[Stage, Config], capsys: pytest.CaptureFixture[str]
) -> None:
    stage, _ = shop
    assert run(["status", "--config", str(stage.configuration), "--json"]) == 1
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert {each["what"] for each in found} >= {"device", "vision", "policy", "outbox"}
    assert run(["status", "--config", str(stage.configuration)]) == 1
    assert "first: " in capsys.readouterr().out


def test_a_model_that_is_not_ours_is_named_by_its_hash(
    shop: tuple[Stage, Config],
) -> None:
    _, config = shop
    path = config.device.state / "ssd.tflite"
    path.write_bytes(b"a model of the field")
    model = replace(config.model, detector=str(path))
    found = findings(replace(config, model=model))["model"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.light, found.says) == (
        "orange",
        f"ssd.tflite, {digest[:16]}, not ours",
    )
    gone = replace(config, model=replace(config.model, detector="nope.tflite"))
    assert findings(gone)["model"].light == "red"


@pytest.mark.parametrize(
    ("free", "light"),
    [
        pytest.param(15 << 20, "red", id="full"),
        pytest.param(100 << 20, "orange", id="soon full"),
        pytest.param(1 << 30, "green", id="room"),
    ],
)
def test_a_disk_that_is_full_is_red_before_anything_is_lost(
    shop: tuple[Stage, Config], monkeypatch: pytest.MonkeyPatch, free: int, light: str
) -> None:
    class Usage:
        def __init__(self, _: Path) -> None:
            self.free = free

    monkeypatch.setattr("doorsill.cli.status_looked.shutil.disk_usage", Usage)
    found = findings(shop[1])["disk"]
    assert found.light == light
    assert ("make room" in found.step) == (light != "green")


@pytest.mark.parametrize(
    ("watchdog", "says"),
    [
        pytest.param(True, [], id="it beats"),
        pytest.param(None, [], id="there is no board"),
        pytest.param(False, ["the interlock board gets no pulses"], id="it is gone"),
    ],
)
def test_a_board_without_pulses_is_a_fault(
    shop: tuple[Stage, Config], watchdog: bool | None, says: list[str]
) -> None:
    answer = {
        "state": "blank",
        "verified_blank": False,
        "without_power": True,
        "lamp": None,
        "reader": "ready",
        "reader_name": "reader",
        "card_in": False,
        "watchdog": watchdog,
    }
    looked = Shop(shop[1], datetime.now(UTC), vault=answer)
    found = [each for each in status_asked.vault(looked) if each.light == "red"]
    assert [each.says.split(",")[0] for each in found] == says
    assert all("look at the board" in each.step for each in found)
