"""Twenty-five faults, five witnesses: none of them stays green, and each says why.

A row is a fault; a cell is what a witness says of it, or why it cannot. All of it is
played for real, side by side: processes, brokers, readers, disks, the kernel's locks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from places import MODELS
from witnesses import (
    OLD_KERNEL,
    OLDER_KERNEL,
    WITHIN_S,
    Scene,
    film,
    full_disk,
    room,
    shop,
    silent_pi,
    until,
)

from doorsill.documents import canonical
from doorsill.drivers.token.pcscd import ENVIRONMENT
from doorsill.process.holder import holder_of
from doorsill.services.policies import store_of
from doorsill.wire.messages import LineInterval
from doorsill_fleet.ca.authority import LEAF_VALID, Authority, pem_of
from doorsill_fleet.stage.consent import ConsentStage
from doorsill_fleet.stage.shop import DEVICE, SITE

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk"),
]
STARTS_S = 90.0  # for all of them, side by side on a slow machine


@dataclass(frozen=True)
class Cannot:
    """The witness cannot say it; ``because`` is why."""

    because: str


@dataclass(frozen=True)
class Row:
    """What the five witnesses say of one fault."""

    fault: str
    status: tuple[str, str, str] | Cannot  # row, light, words
    check: str | Cannot
    state: str | Cannot
    interval: frozenset[str] | Cannot  # words that must be in its quality
    home: str | Cannot
    warns: bool = False  # check says it as a warning


def quality(*words: str) -> frozenset[str]:
    return frozenset(words)


FAR = Cannot("no word of this device reaches the broker; its will says: lost")
COUNTS = Cannot("counting goes on, whole and kept; sent later, as history")
NOT_STARTED = Cannot("nothing starts, so the broker keeps the last word it had")
NO_WINDOW = Cannot("nothing starts, so there is no window")
NO_ENTITY = Cannot("nothing starts, so it keeps what it had, or never heard of it")
LATER = Cannot("it comes and goes while doorsill runs; status tells")

TABLE = [
    Row("no camera",
        ("camera", "red", "no frame"), "/dev/video77 does not exist",
        "alert", quality("gap"), "ON"),
    Row("camera without frames",
        ("camera", "red", "no frame"), "the camera gives no picture",
        "alert", quality("gap"), "ON"),
    Row("frozen picture",
        ("camera", "red", "the same picture"),
        Cannot("one picture does not show it; status does, after ten seconds"),
        "alert", quality("gap", "frozen"), "ON"),
    Row("no landlock",
        ("locks", "orange", "no landlock"), "no landlock",
        Cannot("no way out is open: seccomp and a room hold; health.locks tells"),
        Cannot("no way out is open, and it counts as right; health.locks tells"),
        Cannot("no way out is open; health.locks tells"), warns=True),
    Row("seccomp only",
        ("vision", "red", "does not run"), "no landlock",
        NOT_STARTED, NO_WINDOW, NO_ENTITY, warns=True),
    Row("model not allowed",
        ("model", "red", "which the policy does not let run"),
        "which the policy does not let run",
        NOT_STARTED, NO_WINDOW, NO_ENTITY),
    Row("policy missing",
        ("policy", "red", "no policy is in force"), "and none is in force",
        NOT_STARTED, NO_WINDOW, NO_ENTITY),
    Row("policy of another site",
        ("policy", "red", "no policy is in force"), "porto-2",
        NOT_STARTED, NO_WINDOW, NO_ENTITY),
    Row("policy unreadable",
        ("policy", "red", "no policy is in force"), "canonical JSON",
        NOT_STARTED, NO_WINDOW, NO_ENTITY),
    Row("policy in force but not obeyed",
        ("policy", "red", "but vision obeys"),
        Cannot("the files are in order; status compares them with what runs"),
        "alert", quality("fault"), "ON"),
    Row("clock below its floor",
        ("clock", "red", "too early"), "it is later than",
        "alert", quality("fault"), "ON"),
    Row("certificate not yet valid",
        ("certificate", "red", "is the clock right?"), "is the clock right?",
        FAR, COUNTS, "ON"),
    Row("certificate expired",
        ("certificate", "red", "expired on"), "expired on", FAR, COUNTS, "ON"),
    Row("certificate of another CA",
        ("certificate", "orange", "is not among the CAs"),
        "does not know the CA of our certificate", FAR, COUNTS, "ON"),
    Row("issuing CA expired",
        ("certificate", "red", "the issuing CA"), "the issuing CA",
        "alert", quality("fault"), "ON"),
    Row("key unreadable for the unit's user",
        ("uplink", "red", "does not run"), "doorsill-uplink: cannot read the key",
        FAR, COUNTS, "ON"),
    Row("broker unknown",
        ("broker", "orange", "nobody.invalid"), "cannot be resolved",
        FAR, COUNTS, "ON"),
    Row("broker refuses the connection",
        ("broker", "orange", "nobody listens at"), "nobody listens at",
        FAR, COUNTS, "ON"),
    Row("broker silent",
        ("broker", "orange", "does not answer"), "does not answer",
        FAR, COUNTS, "ON"),
    Row("access list too tight",
        ("broker", "red", "not authorised"), "not authorised",
        "alert", Cannot("the broker refuses it; the row is kept as a dead letter"),
        "ON"),
    Row("second client with our id",
        ("broker", "red", "another client came"), "another client came",
        "alert", quality("fault"), "ON"),
    Row("no reader",
        ("reader", "red", "no reader"), "there is no card reader",
        "alert", quality("fault"), "ON"),
    Row("pcscd gone",
        ("reader", "red", "pcscd"), "pcscd does not run",
        "alert", quality("fault"), "ON"),
    Row("disk full",
        ("outbox", "red", "the disk takes nothing"), "MiB are free under",
        "alert", Cannot("nothing new can be kept; vision keeps it, for days"), "ON"),
    Row("a second doorsill run",
        ("vision", "green", "runs (pid"), "doorsill runs here already (pid",
        Cannot("the first goes on, and is well"),
        Cannot("the first goes on, and is well"),
        Cannot("the first goes on, and is well"), warns=True),
]  # fmt: skip


@dataclass
class World:
    """All shops; they are set up, spoiled, checked, started and looked at together."""

    folder: Path
    left: contextlib.ExitStack
    scenes: dict[str, Scene] = field(default_factory=dict)
    told_before: list[LineInterval] = field(default_factory=list)  # of "far"

    def shop(self, fault: str, **changes: Any) -> Scene:
        """A good shop of its own; it runs until the world ends."""
        scene = shop(self.folder, f"s{len(self.scenes)}", **changes)
        scene.name = fault
        self.scenes[fault] = scene
        self.left.callback(scene.stage.broker.stop)
        self.left.callback(scene.stop)
        return scene

    def end(self) -> None:
        """Ask all of them to stop at once, and give each its time."""
        running = [each for each in self.scenes.values() if each.child is not None]
        for scene in running:
            assert scene.child is not None
            scene.child.terminate()
        for scene in running:
            scene.stop()

    def variant(self, far: Scene, fault: str, *edits: tuple[str, str]) -> Scene:
        """Another configuration of the shop ``far``, whose uplink reaches no broker."""
        name = f"v{len(self.scenes)}.toml"
        text = far.configuration.read_text()
        far.configuration.with_name(name).write_text(text)
        scene = Scene(fault, far.stage, file=name, listener=far.listener)
        for old, new in edits:
            scene.edit(old, new)
        self.scenes[fault] = scene
        return scene


def spoiled(world: World) -> None:
    """Shops whose fault is there before they start."""
    scene = world.shop("no camera")
    scene.edit('driver = "street"', 'driver = "video"')
    scene.edit('source = "loop"', 'source = "/dev/video77"')
    scene = world.shop("camera without frames")
    scene.edit('driver = "street"', 'driver = "picamera"')
    scene.edit('source = "loop"', 'source = ""')
    scene.environment = silent_pi(scene.stage.folder)
    scene = world.shop("frozen picture")
    scene.edit('driver = "street"', 'driver = "video"')
    still = film(scene.stage.folder / "still.mkv", room(1))
    scene.edit('source = "loop"', f'source = "{still}"')
    world.shop("no landlock").before = OLD_KERNEL
    scene = world.shop("clock below its floor")
    in_force = scene.config.policy_in_force
    in_force.parent.mkdir(parents=True)
    store_of(scene.config).take_over(scene.config.policy.file)
    tomorrow = time.time() + 86_400
    os.utime(in_force, (tomorrow, tomorrow))
    scene = world.shop("issuing CA expired")
    old = Authority.create("old", datetime.now(UTC) - timedelta(days=4000))
    pem = scene.config.broker.certificate
    pem.write_bytes(pem.read_bytes() + pem_of(old.certificate))
    scene = world.shop("access list too tight")
    access = scene.stage.broker.folder / "access"
    lines = access.read_text().splitlines()
    access.write_text("\n".join(each for each in lines if "/interval" not in each))
    scene.stage.broker.restart()


def with_vaults(world: World) -> None:
    """Two shops with a consent vault: one without its reader, one without pcscd."""
    folder = world.folder / "cards"
    cards = ConsentStage(folder, SITE)
    cards.start()
    world.left.callback(cards.stop)
    gone = {ENVIRONMENT: str(folder / "nobody.comm")}
    for fault, environment in (("no reader", cards.environment), ("pcscd gone", gone)):
        more = cards.configuration.replace('"Virtual PCD"', '"Nobody"')
        scene = world.shop(fault, consent=cards.policy, more=more)
        scene.environment = environment
        (scene.stage.folder / "consent-ca.pem").write_bytes(cards.ca_pem)


def refused(world: World) -> None:
    """Shops in which nothing starts."""
    world.shop("seccomp only").before = OLDER_KERNEL
    scene = world.shop("model not allowed")
    model = scene.stage.folder / "other.tflite"
    shipped = MODELS / "detector.tflite"
    model.write_bytes(shipped.read_bytes() + b"\0")
    scene.edit('detector = "detector"', f'detector = "{model}"')
    scene = world.shop("policy missing")
    scene.config.policy.file.unlink()
    scene = world.shop("policy of another site")
    body = scene.stage.policy_body() | {"site": "porto-2"}
    signed = canonical.seal(body, scene.stage.controller)
    scene.config.policy.file.write_bytes(signed)
    world.shop("policy unreadable").config.policy.file.write_bytes(b"rubbish")


REFUSED = (
    "seccomp only",
    "model not allowed",
    "policy missing",
    "policy of another site",
    "policy unreadable",
)
APART = (
    "camera without frames",
    "no landlock",
    "seccomp only",
    "no reader",
    "pcscd gone",
)


def far_shop(world: World) -> tuple[Scene, Callable[[], None]]:
    """One shop, and seven uplinks that cannot speak, one after the other."""
    far = world.shop("far")
    now = datetime.now(UTC)
    folder, ours = far.stage.folder, far.stage.authority
    other = Authority.create("another", now)
    pem, key = f'certificate = "{DEVICE}.pem"', f'key = "{DEVICE}.key"'
    for name, issuer, date in (
        ("young", ours, now + timedelta(days=2)),
        ("old", ours, now - LEAF_VALID - timedelta(days=9)),
        ("other", other, now),
    ):
        issuer.issue_device(SITE, DEVICE, date).write(folder, name)

    def certified(fault: str, name: str) -> None:
        new = f'certificate = "{name}.pem"', f'key = "{name}.key"'
        world.variant(far, fault, (pem, new[0]), (key, new[1]))

    host, port = 'host = "127.0.0.1"', f"port = {far.stage.broker.port}"
    mute = world.left.enter_context(socket.create_server(("127.0.0.1", 0)))
    closed = socket.create_server(("127.0.0.1", 0))
    dead = closed.getsockname()[1]
    closed.close()

    def make() -> None:
        certified("certificate not yet valid", "young")
        certified("certificate expired", "old")
        certified("certificate of another CA", "other")
        world.variant(far, "broker unknown", (host, 'host = "nobody.invalid"'))
        edit = port, f"port = {dead}"
        world.variant(far, "broker refuses the connection", edit)
        _of_nobody(world.variant(far, "key unreadable for the unit's user"))
        edit = port, f"port = {mute.getsockname()[1]}"
        world.variant(far, "broker silent", edit)  # the last: it stays

    return far, make


FAR_AWAY = (
    "certificate not yet valid",
    "certificate expired",
    "certificate of another CA",
    "broker unknown",
    "broker refuses the connection",
    "key unreadable for the unit's user",
    "broker silent",
)


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def _of_nobody(scene: Scene) -> None:
    """A state of the user nobody, who may read everything but the key."""
    scene.edit('state = "state"', 'state = "state-nobody"')
    folder = scene.config.policy_in_force.parent
    folder.mkdir(parents=True)
    store_of(scene.config).take_over(scene.config.policy.file)
    scene.config.outbox.parent.mkdir()
    for path in (scene.config.device.state, *scene.config.device.state.rglob("*")):
        os.chown(path, 65534, 65534)
    for path in (scene.stage.folder, scene.stage.folder.parent):
        path.chmod(0o755)
    for path in (*scene.stage.folder.glob("*.toml"), *scene.stage.folder.glob("*.pem")):
        path.chmod(0o644)


def play(world: World) -> None:
    """Everything, in an order in which nobody waits for nobody."""
    good = world.shop("nothing")
    spoiled(world)
    with_vaults(world)
    refused(world)
    far, make_variants = far_shop(world)
    full = world.shop("disk full")
    fill = world.left.enter_context(full_disk(full))
    world.left.callback(full.stop)
    unruly, second = world.shop("policy in force but not obeyed"), "second client"
    taken = world.shop(f"{second} with our id")
    calm = film(world.folder / "calm.mkv", room(12))
    for scene in world.scenes.values():
        if scene not in (good, far):
            scene.looks_at(calm)
    for scene in world.scenes.values():
        (scene.ask_check_apart if scene.name in APART else scene.ask_check)()
        scene.listen()
        assert scene.listener is not None
        world.left.callback(scene.listener.close)
    for fault in REFUSED:
        world.scenes[fault].start()
    run_on = [each for name, each in world.scenes.items() if name not in REFUSED]
    for scene in run_on:
        scene.start()
    for fault in REFUSED:
        world.scenes[fault].ends()
        world.scenes[fault].ask_status()
    for scene in run_on:
        until(lambda: scene.listener.on("/health"), lambda: str(scene), STARTS_S)  # noqa: B023
    disobey(unruly)
    fill()
    take_over(taken)
    run_a_second(world, good)
    cut_off(far)
    world.told_before = far.told  # on a slow machine a minute ends before
    make_variants()
    go_far(world, far)
    ends = time.monotonic() + WITHIN_S
    for scene in run_on:
        if scene is not far:
            wait_for(scene, ends)
            scene.ask_status()
    full.check.clear()
    full.ask_check()
    until(lambda: far.kept, lambda: str(far), max(1.0, ends - time.monotonic()))


def wait_for(scene: Scene, ends: float) -> None:
    """Until a window says what it has to say, and the state with it, or time is up."""
    row = next((each for each in TABLE if each.fault == scene.name), None)

    def told() -> bool:
        if row is None or isinstance(row.state, Cannot):
            return bool(scene.told) and "ready" in scene.states
        if row.state not in scene.states:
            return False
        if isinstance(row.interval, Cannot):
            return True
        words = row.interval
        return any(words <= set(each.quality) for each in scene.told)

    with contextlib.suppress(AssertionError):  # the cells tell what is missing
        until(told, lambda: str(scene), max(0.1, ends - time.monotonic()))


def disobey(scene: Scene) -> None:
    """Vision hangs while another policy comes into force."""
    pid = holder_of(scene.config.declaration("vision"))
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    body = scene.stage.policy_body() | {"version": 2, "purpose": "something else"}
    store_of(scene.config).apply(canonical.seal(body, scene.stage.controller))


def take_over(scene: Scene) -> None:
    """Another client comes with our certificate, and goes again."""
    from broker import device

    from doorsill.services.uplink_opening import address_of

    thief = device(address_of(scene.config)).connect()
    until(lambda: "another client" in scene.said, lambda: str(scene), STARTS_S)
    thief.publisher.stop()
    scene.ask_check()


def run_a_second(world: World, good: Scene) -> None:
    """``doorsill run`` where it runs already."""
    second = Scene("a second doorsill run", good.stage, listener=good.listener)
    second.start()
    second.ends()
    second.ask_check()
    second.ask_status()
    world.scenes[second.name] = second


def cut_off(far: Scene) -> None:
    """The power goes: its last will is all that is left of it at the broker."""
    assert far.child is not None
    pids = [holder_of(far.config.declaration(each)) for each in ("vision", "uplink")]
    far.stop(signal.SIGKILL)
    for pid in pids:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    until(lambda: far.states[-1:] == ["lost"], lambda: str(far), STARTS_S)


def go_far(world: World, far: Scene) -> None:
    """Vision counts; one uplink after the other does not reach the broker."""
    far.start("--only", "vision")
    for fault in FAR_AWAY:
        scene = world.scenes[fault]
        if "key" in fault:
            scene.ask_check_apart(*_with_users(scene.stage.folder))
            scene.before = NOBODY
        else:
            scene.ask_check()
        scene.start("--only", "uplink")
        assert scene.child is not None
        until(
            lambda: "not connected" in scene.said or scene.child.poll() is not None,  # noqa: B023
            lambda: str(scene),  # noqa: B023
            STARTS_S,
        )
        scene.ask_status()
        if fault != FAR_AWAY[-1]:
            scene.stop()
        else:
            world.left.callback(scene.stop)


def _with_users(folder: Path) -> list[str]:
    """A system that has the users of the units: for this command alone."""
    users = folder / "passwd"
    line = "doorsill-uplink:x:65533:65533::/:/usr/sbin/nologin\n"
    users.write_text(Path("/etc/passwd").read_text() + line)
    mount = f'mount --bind {users} /etc/passwd && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, "sh"]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    # Not below pytest's own folder, which it closes to others whenever it starts.
    with contextlib.ExitStack() as left:
        folder = left.enter_context(tempfile.TemporaryDirectory())
        found = World(Path(folder), left)
        try:
            play(found)
            yield found
        finally:
            found.end()


ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.fault)


def test_there_are_twenty_five_faults() -> None:
    assert len({row.fault for row in TABLE}) == 25


def test_the_control_a_good_shop_is_well(world: World) -> None:
    good = world.scenes["nothing"]
    assert [each for each in good.status.values() if each.light == "red"] == []
    assert [each for each in good.check if not each.warning] == []
    assert (good.states[-1], good.home, good.problems) == ("ready", "OFF", [])
    assert all("fault" not in each.quality for each in good.told)


@ROWS
def test_status_says_it(world: World, row: Row) -> None:
    scene = world.scenes[row.fault]
    assert not isinstance(row.status, Cannot)
    what, light, words = row.status
    found = scene.status[what]
    assert (found.light, words in found.says) == (light, True), found
    assert bool(found.step) == (light != "green"), found


@ROWS
def test_check_says_it(world: World, row: Row) -> None:
    scene = world.scenes[row.fault]
    wrong = [each for each in scene.check if not each.warning]
    if isinstance(row.check, Cannot):
        assert wrong == []
        return
    found = [each for each in scene.check if row.check in each.says]
    assert found, scene.check
    assert any(each.warning is row.warns for each in found), found
    assert bool(wrong) is not row.warns, scene.check


@ROWS
def test_the_state_says_it(world: World, row: Row) -> None:
    scene = world.scenes[row.fault]
    if row.state is NOT_STARTED:
        assert scene.code and scene.states == []
    elif row.state is FAR:
        assert scene.states[-1] == "lost"
    elif isinstance(row.state, Cannot):
        assert scene.states[-1] == "ready", str(scene)
    else:
        assert row.state in scene.states, str(scene)


@ROWS
def test_the_interval_says_it(world: World, row: Row) -> None:
    scene = world.scenes[row.fault]
    if row.interval is NO_WINDOW:
        assert scene.told == scene.kept == []
    elif row.interval is COUNTS:
        kept = world.scenes["far"].kept
        assert kept and all("fault" not in each.quality for each in kept)
        assert world.scenes["far"].told == world.told_before
    elif isinstance(row.interval, Cannot):
        assert all("fault" not in each.quality for each in scene.told)
    else:
        wanted = row.interval
        assert any(wanted <= set(each.quality) for each in scene.told), str(scene)
        assert all(each.quality for each in scene.told), str(scene)  # none looks whole


@ROWS
def test_home_assistant_says_it(world: World, row: Row) -> None:
    scene = world.scenes[row.fault]
    if row.home is NO_ENTITY:
        assert scene.home == "none"
    elif isinstance(row.home, Cannot):
        assert scene.home == "OFF", str(scene)
    else:
        assert scene.home == row.home, str(scene)


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        pytest.param("seccomp only", 2, "mount namespace of its own", id="no room"),
        pytest.param("model not allowed", 3, "does not let run", id="model"),
        pytest.param("policy missing", 2, "no policy is in force", id="no policy"),
        pytest.param("policy of another site", 3, "porto-2", id="another site"),
        pytest.param("policy unreadable", 3, "canonical JSON", id="unreadable"),
        pytest.param("a second doorsill run", 2, "already runs here (pid", id="second"),
    ],
)
def test_what_does_not_start_says_why(
    world: World, fault: str, code: int, words: str
) -> None:
    scene = world.scenes[fault]
    assert scene.code == code, str(scene)
    assert words in scene.said
    assert "Traceback" not in scene.said
