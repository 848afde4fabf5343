"""``doorsill check --connect`` goes to a real broker and says what keeps us out."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from doorsill.cli.check_connect import connect
from doorsill.cli.main import run
from doorsill.config import load_config
from doorsill.services.children import prepare
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.stage.shop import DEVICE, SITE, Stage

LINE = (((0.0, 0.6), (1.0, 0.6)),)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(tmp_path, LINE)
    found.set()
    found.broker.start()
    yield found
    found.broker.stop()


def said(stage: Stage) -> list[tuple[str, bool]]:
    config = load_config(stage.configuration)
    return [(each.says, each.warning) for each in connect(config)]


def test_a_good_broker_lets_us_in_and_refuses_what_is_not_ours(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(stage) == []
    command = ["check", "--connect", "--config", str(stage.configuration)]
    assert run(command) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_a_certificate_of_another_ca_is_told_from_the_rest(stage: Stage) -> None:
    other = Authority.create("another", datetime.now(UTC))
    other.issue_device(SITE, DEVICE, datetime.now(UTC)).write(stage.folder, DEVICE)
    ((words, warning),) = said(stage)
    where, own = f"127.0.0.1:{stage.broker.port}", stage.folder / f"{DEVICE}.pem"
    assert f"the broker at {where} does not know the CA of our certificate" in words
    assert str(own) in words
    assert not warning


def test_an_access_list_that_is_too_tight_is_named_with_the_topic(stage: Stage) -> None:
    access = stage.broker.folder / "access"
    access.write_text("\n")
    stage.broker.restart()
    ((words, warning),) = said(stage)
    assert f"doorsill/{SITE}/{DEVICE}/interval: not authorised" in words
    assert not warning


def test_an_access_list_that_is_too_loose_is_a_warning(stage: Stage) -> None:
    access = stage.broker.folder / "access"
    access.write_text("pattern write doorsill/#\n")
    stage.broker.restart()
    ((words, warning),) = said(stage)
    assert "lets this device write to" in words and warning


def test_nobody_there_and_nobody_who_speaks(stage: Stage) -> None:
    stage.broker.stop()
    ((words, _),) = said(stage)
    assert words.startswith(f"nobody listens at 127.0.0.1:{stage.broker.port}; ")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        text = stage.configuration.read_text()
        port = mute.getsockname()[1]
        stage.configuration.write_text(
            text.replace(f"port = {stage.broker.port}", f"port = {port}")
        )
        ((words, _),) = said(stage)
    assert words.startswith(f"127.0.0.1:{port} takes the connection and does not")


def test_a_broker_that_hangs_after_the_handshake_is_named(stage: Stage) -> None:
    stage.broker.send_signal(signal.SIGSTOP)
    try:
        ((words, _),) = said(stage)
    finally:
        stage.broker.send_signal(signal.SIGCONT)
    assert "does not answer" in words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("max_packet_size 512", "is left out", id="small packets"),
        pytest.param("retain_available false", "no retained messages", id="no retain"),
        pytest.param("max_inflight_messages 1", "", id="one at a time: all is well"),
    ],
)
def test_a_broker_that_takes_less_is_a_warning(
    stage: Stage, line: str, words: str
) -> None:
    conf = stage.broker.folder / "mosquitto.conf"
    name = line.split()[0]
    text = [each for each in conf.read_text().splitlines() if each.split()[0] != name]
    conf.write_text("\n".join([*text, line]) + "\n")
    stage.broker.restart()
    prepare(load_config(stage.configuration))  # its policy is in force
    found = said(stage)
    assert [warning for _, warning in found] == [True] * bool(words)
    assert words in " ".join(each for each, _ in found)
