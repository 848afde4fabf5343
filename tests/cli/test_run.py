"""``doorsill run``: processes side by side, stopped together, restarted cameras."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from children import children_of, status_of
from limits import wait_until
from recordings import record

from doorsill.config import Config, load_config
from doorsill.documents import canonical
from doorsill.drivers.camera.clip import STREET
from doorsill.policy.obedience import read_declaration
from doorsill.services.children import names_of
from doorsill.services.policies import store_of
from doorsill.wire.codec import decode
from doorsill.wire.messages import Health
from doorsill_fleet.broker.mosquitto import running_broker
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.stage.consent import ConsentStage
from doorsill_fleet.stage.shop import DEVICE, READER, SITE, Stage
from doorsill_fleet.store.windows import Store

LINE = (((0.022, 0.659), (0.978, 0.659)),)
WITHIN_S = 40.0
OBEY_WITHIN_S = 2.0  # promised, in the README


TERMINAL = """\
#!{python}
import os
from pathlib import Path
found = ["standard input"] if os.isatty(0) else []
try:
    os.open("/dev/tty", os.O_RDWR)
    found.append("/dev/tty")
except OSError:
    pass
Path({said!r}).write_text(", ".join(found) or "none")
"""
STARTING = {
    "as doorsill run does": "r.sys.executable = sys.argv[1]\n"
    "with r.children(Path('none'), ('vision',)) as running: running['vision'].wait()",
    "as a shell does": "r.subprocess.run([sys.argv[1]])",
}


@pytest.mark.parametrize("how", STARTING)
def test_a_child_has_no_terminal(tmp_path: Path, how: str) -> None:
    """One that is taken over could type into it, and so leave its confinement."""
    said, program = tmp_path / "said", tmp_path / "child"
    program.write_text(TERMINAL.format(python=sys.executable, said=str(said)))
    program.chmod(0o755)
    code = (
        "import sys\nfrom pathlib import Path\nimport doorsill.services.children as r\n"
    )
    command = [sys.executable, "-c", code + STARTING[how], str(program)]
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, command)  # noqa: S606
    until(lambda: said.exists() and said.read_text(), "the child says nothing")
    os.close(terminal)
    status_of(process)
    wanted = "none" if how == "as doorsill run does" else "standard input, /dev/tty"
    assert said.read_text() == wanted


def until(done: Callable[[], object], what: str) -> None:
    wait_until(done, what, WITHIN_S, between=lambda: time.sleep(0.05))


@contextmanager
def started(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    log = (stage.folder / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "doorsill", "run", "--config", str(stage.configuration)],
        stdout=log,
        stderr=log,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(WITHIN_S)
        log.close()


def said(stage: Stage) -> str:
    return (stage.folder / "log").read_text(errors="replace")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(tmp_path, LINE)
    found.set()
    with running_broker(found.broker):
        yield found


def listens(config: Config) -> bool:
    return config.cell_socket.exists()


def test_it_counts_until_told_to_stop_and_stops_all(stage: Stage) -> None:
    folder = stage.folder
    ca, port = folder / "broker" / "ca.pem", stage.broker.port
    pem, key = folder / f"{READER}.pem", folder / f"{READER}.key"
    store = Store(folder / "store.db", SITE)
    subscriber = Subscriber(Reader(READER, "127.0.0.1", port, ca, pem, key), store)
    subscriber.start()
    with started(stage) as process:
        until(lambda: store.latest(DEVICE, "live"), "no live message: " + said(stage))
        running = children_of(process)
        assert set(running) == {"vision", "uplink"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0
    until(
        lambda: b"disconnected" in (store.latest(DEVICE, "state") or b""), "no farewell"
    )
    assert store.covered(DEVICE, 0) > 0
    assert not {"WARNING", "ERROR"} & set(said(stage).split())
    subscriber.stop()
    store.close()
    assert not [pid for pid in running.values() if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("victim", ["vision", "uplink"])
def test_when_one_ends_the_others_are_stopped(stage: Stage, victim: str) -> None:
    config = load_config(stage.configuration)
    with started(stage) as process:
        until(lambda: listens(config), "vision does not listen: " + said(stage))
        until(lambda: len(children_of(process)) == 2, said(stage))
        running = children_of(process)
        os.kill(running[victim], signal.SIGKILL)
        assert process.wait(WITHIN_S) == 1
    assert f"{victim} ended with -9; the others are stopped" in said(stage)
    assert not [pid for pid in running.values() if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("moment", ["as they start", "as they count"])
def test_nothing_counts_on_when_doorsill_run_is_killed(
    stage: Stage, moment: str
) -> None:
    """What is left behind would hold the camera, and no new start could replace it."""
    consent = ConsentStage(stage.folder, SITE)
    stage.more = consent.configuration  # with a vault, which sees no card
    (stage.folder / "consent-ca.pem").write_bytes(consent.ca_pem)
    config = stage.set()
    with started(stage) as process:
        until(lambda: len(children_of(process)) == 3, said(stage))
        if moment == "as they count":
            until(lambda: "uplink connected" in said(stage), said(stage))
            until(lambda: config.vault_socket.exists(), said(stage))
        running = children_of(process)
        assert set(running) == {"vision", "uplink", "vault"}
        process.kill()
        until(lambda: not any(map(runs, running.values())), said(stage))
    with started(stage):
        until(lambda: said(stage).count("uplink connected"), said(stage))
        assert "already runs" not in said(stage)


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def test_a_broker_that_is_away_stops_nothing(stage: Stage) -> None:
    stage.broker.stop()
    config = load_config(stage.configuration)
    with started(stage) as process:
        until(lambda: "uplink connected" in said(stage), said(stage))
        until(lambda: "not connected to the broker" in said(stage), said(stage))
        assert process.poll() is None
        assert listens(config)


def test_a_camera_that_vanishes_is_opened_again_by_a_new_process(stage: Stage) -> None:
    """The others go on, and what was counted until then is handed on first."""
    clip = stage.folder / "door.mp4"
    clip.write_bytes(STREET.read_bytes()[:400_000])  # breaks off while it plays
    text = stage.configuration.read_text()
    text = text.replace('driver = "street"', 'driver = "video"')
    stage.configuration.write_text(
        text.replace('source = "loop"', f'source = "{clip}"')
    )
    with started(stage) as process:
        until(lambda: len(children_of(process)) == 2, said(stage))
        before = children_of(process)
        until(lambda: "vision lost its camera" in said(stage), said(stage))
        clip.write_bytes(STREET.read_bytes())
        until(lambda: children_of(process).get("vision") != before["vision"], "none")
        until(lambda: said(stage).count("uplink connected") == 2, said(stage))
        assert children_of(process)["uplink"] == before["uplink"]
        assert process.poll() is None
    assert "Traceback" not in said(stage)


def test_a_recording_that_ends_ends_the_run(stage: Stage) -> None:
    clip = record(stage.folder / "door.mp4", frames=60)
    text = stage.configuration.read_text()
    text = text.replace('driver = "street"', 'driver = "video"')
    stage.configuration.write_text(
        text.replace('source = "loop"', f'source = "{clip}"')
    )
    with started(stage) as process:
        process.wait(WITHIN_S)
    assert "the recording is over" in said(stage)
    assert "vision ended with 0" in said(stage)


@pytest.mark.parametrize(
    ("old", "new", "code", "sentence"),
    [
        pytest.param(
            'driver = "street"',
            'driver = "video"\nsource = "rtsp://x/1"\n#',
            2,
            "has no network",
            id="a camera on the network",
        ),
        pytest.param("[model]", "[modle]", 2, "did you mean model?", id="misspelt"),
        pytest.param(
            'file = "policy.json"',
            'file = "nowhere.json"',
            2,
            "no policy is in force",
            id="no policy",
        ),
    ],
)
def test_what_cannot_start_says_why(
    tmp_path: Path, old: str, new: str, code: int, sentence: str
) -> None:
    stage = Stage(tmp_path, LINE)
    stage.set()
    text = stage.configuration.read_text().replace('source = "loop"\n', "")
    stage.configuration.write_text(text.replace(old, new))
    done = subprocess.run(
        [sys.executable, "-m", "doorsill", "run", "--config", str(stage.configuration)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_vault_runs_only_where_the_configuration_has_consent(tmp_path: Path) -> None:
    stage = Stage(tmp_path, LINE)
    assert names_of(stage.set()) == ("vision", "uplink")
    stage.more = '\n[consent]\nca = "consent-ca.pem"\n'
    assert names_of(stage.set()) == ("vision", "uplink", "vault")


@pytest.mark.alone
def test_a_policy_that_comes_into_force_is_obeyed_by_all_within_two_seconds(
    stage: Stage,
) -> None:
    """Each process ends and is started again; nothing that was counted is lost."""
    config = load_config(stage.configuration)
    folder, port = stage.folder, stage.broker.port
    pem, key = folder / f"{READER}.pem", folder / f"{READER}.key"
    ca, store = folder / "broker" / "ca.pem", Store(folder / "store.db", SITE)
    subscriber = Subscriber(Reader(READER, "127.0.0.1", port, ca, pem, key), store)
    subscriber.start()
    with started(stage) as process:
        until(lambda: store.latest(DEVICE, "live"), said(stage))
        old = store_of(config).load().digest
        assert obeyed(config) == {"vision": old, "uplink": old}
        before = children_of(process)
        body = stage.policy_body() | {"version": 2, "purpose": "something else"}
        store_of(config).apply(canonical.seal(body, stage.controller))
        began, utc = time.monotonic(), time.time()
        until(lambda: old not in obeyed(config).values(), said(stage))
        assert time.monotonic() - began < OBEY_WITHIN_S
        new = canonical.digest(body)
        until(lambda: obeyed(config) == {"vision": new, "uplink": new}, said(stage))
        until(lambda: store.windows(DEVICE, 0), "the last window is lost")
        assert store.windows(DEVICE, 0)[0][0] < utc
        until(lambda: told(store) == new[:32], said(stage))
        after = children_of(process)
        assert set(after) == set(before) and not set(after.values()) & set(
            before.values()
        )
        assert process.poll() is None
    assert "Traceback" not in said(stage) and "the others are stopped" not in said(
        stage
    )
    subscriber.stop()
    store.close()


def obeyed(config: Config) -> dict[str, str | None]:
    return {
        name: read_declaration(config.declaration(name))
        for name in ("vision", "uplink")
    }


def told(store: Store) -> str:
    """The policy under which the device last said how it fares."""
    found = decode("health", store.latest(DEVICE, "health") or b"")
    assert isinstance(found, Health)
    return found.policy
