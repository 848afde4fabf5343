"""No key of doorsill.toml is ignored: pairs of runs that differ in that key alone.

Through the ``main`` of the real processes, beside a real broker, a real card stack and
the simulated street. The first run of a pair is one for all keys of a process; what the
other shows is what its key promises, and the first does not show it. Code that reads
a key and does not heed it fails here, and so does a key without a pair (at the end).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_type_hints

import pytest
from children import started
from limits import END_S, wait_until
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from recordings import record
from uplinks import connected
from vault_process import VaultProcess

from doorsill.cells import HealthCell, LineCell
from doorsill.channels.cell_link import CellClient
from doorsill.config import Config, load_config
from doorsill.documents import canonical, pem
from doorsill.documents.sections import without_none
from doorsill.drivers.camera.clip import STREET
from doorsill.errors import UplinkError
from doorsill.policy.obedience import read_declaration
from doorsill.services.children import WIPING, prepare
from doorsill.uplink.paho_client import close, end_loop
from doorsill.wire.messages import client as client_id
from doorsill.wire.messages import topic
from doorsill_fleet.broker.mosquitto import client_context, running_broker
from doorsill_fleet.ca.authority import Authority, reader_name
from doorsill_fleet.stage.consent import MEDIUM_BYTES, ConsentStage
from doorsill_fleet.stage.shop import DEVICE, READER, SITE, Stage

LINE = (((0.022, 0.659), (0.978, 0.659)),)
GREY = "grey.mp4"  # a recording in which nobody crosses
NO_SUCH = "/nowhere/libedgetpu.so.1"
ELSEWHERE = {"privacy.k", "privacy.epsilon_per_day"}  # in test_policy_keys
HERE: set[str] = set()  # the keys that have a pair
STATE = topic(SITE, DEVICE, "state")
DESCRIPTION = f"homeassistant/device/{client_id(SITE, DEVICE)}/config"
BROKER = "connected to the broker"
KEEPS_SHUT = "the card is refused"
WITHIN_S = 60.0
CROSSED_S = 15.0  # somebody crosses in the street's first four seconds
Changes = dict[str, Any]  # by section.option


@dataclass(frozen=True)
class Seen:
    """What a run shows to who looks at it."""

    code: int | None = None  # None: it runs
    said: str = ""
    files: frozenset[str] = frozenset()  # below the folder of the configuration
    policy: str | None = None  # the version that vision obeys
    people: int = 0  # who crossed
    frame_rate: float = 0.0  # 1/s
    threads: int = 0
    mapped: str = ""  # libraries
    connected: bool = False  # to the broker
    kept: frozenset[str] = frozenset()  # topics, by the broker
    vault: str = ""  # its state, with the card in
    kind: str = ""  # of the medium, in the certificate
    size: int = 0  # of it, bytes


Promise = Callable[[Seen, Seen], bool]  # of the second run, beside the first
Observe = Callable[[Path, Changes], Seen]


def pair(key: str, value: Any, promise: Promise, **both: Any) -> Any:
    """One key with its value in the second run; ``both`` runs have those as well."""
    HERE.add(key)
    others = {name.replace("__", "."): each for name, each in both.items()}
    return pytest.param(key, value, others, promise, id=key)


def ends(code: int, sentence: str) -> Promise:
    return lambda seen, before: seen.code == code and sentence in seen.said


@pytest.fixture(scope="module")
def first_run() -> Callable[[Observe, Changes], Seen]:
    """The first run of all pairs that have the same changes: each is made once."""

    @cache
    def made(observe: Observe, both: tuple[tuple[str, Any], ...]) -> Seen:
        return run(observe, dict(both))

    return lambda observe, both: made(observe, tuple(both.items()))


@pytest.fixture
def judge(first_run: Callable[[Observe, Changes], Seen]) -> Callable[..., None]:
    def judged(
        observe: Observe, key: str, value: Any, both: Changes, promise: Promise
    ) -> None:
        before, seen = first_run(observe, both), run(observe, both | {key: value})
        assert promise(seen, before), seen
        assert not promise(before, before), "the first run shows it as well"

    return judged


def run(observe: Observe, changes: Changes) -> Seen:
    with TemporaryDirectory(prefix="d-") as folder:  # short: sockets are in it
        return observe(Path(folder), changes)


@dataclass
class Looking(Stage):
    """A stage whose policy wants looks."""

    def policy_body(self) -> dict[str, Any]:
        return Stage.policy_body(self) | {"attributes": True, "notice": "sign-7"}


def configured(stage: Stage, changes: Changes) -> Config:
    """The stage set, and then its file with the changes."""
    stage.set()
    rewrite(stage.configuration, changes)
    return load_config(stage.configuration)


def rewrite(path: Path, changes: Changes) -> None:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        section, option = key.split(".")
        document.setdefault(section, {})[option] = value
    lines = []
    for name, table in document.items():
        lines.append(f"[{name}]")
        for option, value in table.items():
            text = str(value).lower() if isinstance(value, bool) else repr(value)
            lines.append(f"{option} = {text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def running(stage: Stage, *only: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "doorsill", "run", *only]
    command += ["--config", str(stage.configuration)]
    with (
        (stage.folder / "log").open("wb") as log,
        started(command, stderr=log, env={**os.environ, **WIPING, **more}) as child,
    ):
        yield child
        child.terminate()


def said(stage: Stage) -> str:
    return (stage.folder / "log").read_text(encoding="utf-8", errors="replace")


def below(folder: Path) -> frozenset[str]:
    return frozenset(str(each.relative_to(folder)) for each in folder.rglob("*"))


def vision(folder: Path, changes: Changes) -> Seen:
    """Until somebody crossed and it said how it fares, or an end; we are its uplink."""
    stage = Looking(folder, LINE)
    if GREY in changes.values():
        stamps = tuple(range(0, int(1000 * (CROSSED_S + WITHIN_S)), 200))
        record(folder / GREY, frames=len(stamps), size=(160, 120), stamps=stamps)
    config = configured(stage, changes)
    prepare(config)
    with running(stage, "--only", "vision") as child:
        client = wait_until(
            lambda: connected(config.cell_socket) or child.poll() is not None,
            within_s=WITHIN_S,
        )
        if isinstance(client, CellClient):
            with closing(client), suppress(UplinkError):
                return _fares(client, child)
        wait_until(lambda: child.poll() is not None)
    return Seen(code=child.returncode, said=said(stage))


def _fares(client: CellClient, child: subprocess.Popen[bytes]) -> Seen:
    seen, began = Seen(), time.monotonic()
    while not seen.frame_rate or not (
        seen.people or time.monotonic() > began + CROSSED_S
    ):
        assert time.monotonic() < began + WITHIN_S, seen
        received = client.receive(0.1)
        if received is None:
            continue
        client.acknowledge(received.sequence)
        cell = received.cell
        if isinstance(cell, LineCell):
            seen = replace(seen, people=seen.people + cell.count_in + cell.count_out)
        if isinstance(cell, HealthCell) and cell.frames:
            seen = replace(seen, frame_rate=cell.frame_rate_milli / 1000)
    status = Path(f"/proc/{child.pid}/status").read_text()
    threads = int(status.split("Threads:")[1].split()[0])
    return replace(
        seen, threads=threads, mapped=Path(f"/proc/{child.pid}/maps").read_text()
    )


def uplink(folder: Path, changes: Changes) -> Seen:
    """Until it has its broker, or says why not, or ends; then it leaves."""
    stage = Stage(folder, LINE)
    config = configured(stage, {})
    now = datetime.now(UTC)
    (folder / "other").mkdir()
    Authority.create("another", now).write_root(folder / "other")
    with running_broker(stage.broker):
        stage.authority.revoke(pem.read_chain(folder / "broker" / "broker.pem")[0], now)
        (folder / "revoked.pem").write_bytes(stage.authority.revocation_list(now))
        prepare(config)
        rewrite(stage.configuration, changes)
        with running(stage, "--only", "uplink") as child:
            wait_until(
                lambda: child.poll() is not None or BROKER in said(stage),
                within_s=WITHIN_S,
            )
            alive = child.poll() is None
        words = said(stage)
        heard = words.count(BROKER) > words.count(f"not {BROKER}")
        return Seen(
            code=None if alive else child.returncode,
            said=words,
            connected=heard,
            kept=frozenset(_kept(stage)),
        )


def _kept(stage: Stage) -> set[str]:
    """What the broker keeps for a reader who comes, of all that this device may say."""
    kept: set[str] = set()
    done = threading.Event()
    reader = mqtt.Client(
        CallbackAPIVersion.VERSION2, reader_name(READER), protocol=mqtt.MQTTv5
    )
    ca, pem = stage.folder / "broker" / "ca.pem", stage.folder / f"{READER}.pem"
    reader.tls_set_context(client_context(ca, pem, stage.folder / f"{READER}.key"))
    reader.on_message = lambda _client, _data, message: kept.add(message.topic)
    # Its answers are in order: when it has let us go, what it kept has come.
    reader.on_connect = lambda *_: reader.subscribe([(STATE, 1), (DESCRIPTION, 1)])
    reader.on_subscribe = lambda *_: reader.unsubscribe([STATE, DESCRIPTION])
    reader.on_unsubscribe = lambda *_: done.set()
    reader.connect("127.0.0.1", stage.broker.port)
    reader.loop_start()
    try:
        assert done.wait(WITHIN_S)
    finally:
        reader.disconnect()
        end_loop(reader, END_S)
        close(reader)
    return kept


def whole(folder: Path, changes: Changes) -> Seen:
    """``doorsill run``, until vision obeys a policy or all of it ends."""
    stage = Stage(folder, LINE)
    configured(stage, {})
    second = canonical.seal(stage.policy_body() | {"version": 2}, stage.controller)
    (folder / "second.json").write_bytes(second)
    other = Stage(folder / "other", LINE)
    other.set()
    rewrite(stage.configuration, changes)
    config = load_config(stage.configuration)
    with running_broker(stage.broker), running(stage) as child:
        declaration = config.declaration("vision")
        wait_until(
            lambda: child.poll() is not None or read_declaration(declaration),
            within_s=WITHIN_S,
        )
        if child.poll() is not None:
            return Seen(child.returncode, said(stage))
        wait_until(lambda: config.outbox.exists() and config.cell_socket.exists())
        return Seen(files=below(folder), policy=read_declaration(declaration))


def vault(folder: Path, changes: Changes) -> Seen:
    """Until it is open with the card in, or keeps shut and says why, or ends."""
    with VaultProcess(folder) as site:
        other = ConsentStage(folder / "other", SITE)
        other.folder.mkdir()
        (other.folder / "ca.pem").write_bytes(other.ca_pem)
        rewrite(site.site.configuration, changes)
        site.config = load_config(site.site.configuration)
        site.stage.insert()
        with running(site.site, "--only", "vault", **site.stage.environment) as child:
            wait_until(
                lambda: child.poll() is not None or _stands(site), within_s=WITHIN_S
            )
            status = site.status()
            if child.poll() is not None:
                return Seen(child.returncode, said(site.site))
        medium = site.chain()[-1].body["medium"]
        return Seen(
            said=said(site.site),
            vault=status["state"],
            kind=medium["kind"],
            size=medium["size"],
        )


def _stands(site: VaultProcess) -> bool:
    status = site.status()
    missing = status.get("reader") == "missing"
    return status["state"] == "open" or missing or KEEPS_SHUT in said(site.site)


@pytest.mark.parametrize(
    ("key", "value", "both", "promise"),
    [
        pair("camera.driver", "video", lambda seen, _: seen.code == 2),
        pair(
            "camera.source",
            GREY,
            lambda seen, before: seen.people == 0 < before.people,
            camera__driver="video",
            camera__source=str(STREET),
        ),
        pair(
            "camera.frame_rate",
            4.0,
            lambda seen, before: 0 < seen.frame_rate < 4.5 < before.frame_rate,
        ),
        pair("model.detector", "attributes", ends(2, "describes people")),
        pair("model.attributes", "heads", ends(2, "no model named heads")),
        pair("model.runtime", "tflite-runtime", ends(2, "tflite-runtime")),
        pair(
            "model.threads",
            4,
            lambda seen, before: seen.threads >= before.threads + 3,
        ),
        pair("model.delegate", NO_SUCH, ends(2, NO_SUCH)),
        pair(
            "model.delegate_fallback",
            True,
            lambda seen, before: before.code == 2 and seen.people > 0,
            model__delegate=NO_SUCH,
        ),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what vision has loaded")
def test_vision(
    judge: Callable[..., None], key: str, value: Any, both: Changes, promise: Promise
) -> None:
    judge(vision, key, value, both, promise)


def away(reason: str) -> Promise:
    return lambda seen, _: not seen.connected and reason in seen.said


@pytest.mark.parametrize(
    ("key", "value", "both", "promise"),
    [
        pair(
            "device.id",
            "cam-02",  # the broker lets nobody speak in another's name
            lambda seen, before: seen.connected and STATE in before.kept - seen.kept,
        ),
        pair("device.site", "braga", ends(3, "braga")),
        pair("broker.host", "127.0.0.2", away("nobody listens")),
        pair("broker.port", 1, away("nobody listens")),
        pair("broker.ca", "other/ca.pem", away("certificate")),
        pair("broker.certificate", f"{READER}.pem", ends(3, "certificate")),
        pair("broker.key", f"{READER}.key", ends(3, "key")),
        pair("broker.revoked", "revoked.pem", away("was taken back")),
        pair(
            "broker.discovery",
            False,
            lambda seen, before: (
                (seen.kept, before.kept) == ({STATE}, {STATE, DESCRIPTION})
            ),
        ),
    ],
)
def test_uplink(
    judge: Callable[..., None], key: str, value: Any, both: Changes, promise: Promise
) -> None:
    judge(uplink, key, value, both, promise)


@pytest.mark.parametrize(
    ("key", "value", "both", "promise"),
    [
        pair(
            "device.state",
            "kept",
            lambda seen, _: (
                "kept/outbox/outbox.db" in seen.files and "state" not in seen.files
            ),
        ),
        pair(
            "device.run",
            "going",
            lambda seen, _: (
                "going/cells.sock" in seen.files and "run" not in seen.files
            ),
        ),
        pair(
            "policy.file",
            "second.json",
            lambda seen, before: None is not seen.policy != before.policy,
        ),
        pair("policy.controller_key", "other/controller.pem", ends(3, "sign")),
    ],
)
def test_all_of_it(
    judge: Callable[..., None], key: str, value: Any, both: Changes, promise: Promise
) -> None:
    judge(whole, key, value, both, promise)


def shut(sentence: str) -> Promise:
    return lambda seen, _: seen.vault == "blank" and sentence in seen.said


@pytest.mark.parametrize(
    ("key", "value", "both", "promise"),
    [
        pair("consent.ca", "other/ca.pem", shut("is not the policy's")),
        pair(
            "consent.token",
            "fido2",
            ends(2, "no FIDO2 key is enrolled"),
        ),
        pair(
            "consent.reader",
            "Another",
            shut(""),
        ),
        pair("consent.medium", "faces", lambda seen, _: seen.kind == "file"),
        pair(
            "consent.medium_bytes",
            1 << 20,
            lambda seen, before: (seen.size, before.size) == (1 << 20, MEDIUM_BYTES),
        ),
        pair("consent.gpio_line", "gpiochip9:1", ends(2, "gpio_line")),
        pair("consent.lamp_line", "gpiochip9:1", ends(2, "lamp_line")),
        pair("consent.watchdog_line", "gpiochip9:1", ends(2, "watchdog_line")),
    ],
)
def test_vault(
    judge: Callable[..., None], key: str, value: Any, both: Changes, promise: Promise
) -> None:
    judge(vault, key, value, both, promise)


def test_no_key_of_the_configuration_is_without_a_pair() -> None:
    """A key that is added to a section belongs into a pair of runs above."""
    known = {
        f"{section}.{option.name}"
        for section, kind in get_type_hints(Config).items()
        for option in fields(without_none(kind))
    }
    assert len(known) > 30
    assert known == HERE | ELSEWHERE
