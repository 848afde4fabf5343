"""``doorsill status`` tells a technician what is red and what to do first."""

from __future__ import annotations

import hashlib
import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from doorsill.cli import run
from doorsill.config import Config
from doorsill.device.policy_store import store_of
from doorsill.link import CellServer
from doorsill.privacy.budget import day_of
from doorsill.status_cli import Finding, report
from doorsill.uplink.outbox import Outbox
from doorsill_fleet.stage import Stage

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


def test_a_device_that_runs_is_green(shop: tuple[Stage, Config]) -> None:
    _, config = shop
    store_of(config).take_over(config.policy.file)
    Outbox(config.outbox, day_of(0)).close()
    server = CellServer(config.cell_socket)
    found = findings(config)
    server.close()
    lights = {each: found[each].light for each in ("vision", "policy", "certificate")}
    assert set(lights.values()) == {"green"}
    assert found["outbox"].light == "green"
    assert "waiting 0" in found["outbox"].says


def test_asking_does_not_throw_the_uplink_out(shop: tuple[Stage, Config]) -> None:
    from doorsill.link import CellClient

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
    assert "first step" in capsys.readouterr().out


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


def test_a_broker_that_cannot_be_reached_is_orange_and_one_that_is_connected_green(
    shop: tuple[Stage, Config],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config = replace(shop[1], broker=replace(shop[1].broker, port=port))
        found = findings(config)["broker"]
        assert (found.light, bool(found.step)) == ("orange", True)
        assert f":{port}; what is counted is kept" in found.says
        with socket.create_connection(server.getsockname(), timeout=5):
            assert findings(config)["broker"].light == "green"


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

    monkeypatch.setattr("doorsill.status_cli.shutil.disk_usage", Usage)
    found = findings(shop[1])["disk"]
    assert found.light == light
    assert ("make room" in found.step) == (light != "green")
