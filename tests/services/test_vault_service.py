"""The vault as a process: real card stack, real confinement, real certificates."""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bench.vault_latency import unplug
from cards import Controller
from limits import PROGRAM_S
from unplugging import Cable
from vault_process import VaultProcess, utc_now

from doorsill.channels.control import ask
from doorsill.channels.note import read_note
from doorsill.cli import main
from doorsill.cli.status import GREEN, ORANGE, RED, Finding, report
from doorsill.consent.gate import ANSWER_MAX_AGE_S
from doorsill.documents import canonical
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.errors import ConfigError, UntrustedError
from doorsill.office import cards
from doorsill.services.vault_loop import ANSWERS, HANGS


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultProcess]:
    with VaultProcess(tmp_path_factory.mktemp("v")) as made:
        yield made


def run(
    capsys: pytest.CaptureFixture[str], site: VaultProcess, *arguments: str
) -> tuple[int, str]:
    config = str(site.site.configuration)
    code = main.run(["vault", *arguments, "--config", config])
    said = capsys.readouterr()
    return code, said.out + said.err


def vault_row(site: VaultProcess) -> Finding:
    """What ``doorsill status`` says of it."""
    return next(each for each in report(site.config, utc_now()) if each.what == "vault")


def test_blank_open_blank_and_every_way_out(site: VaultProcess) -> None:
    """Card pulled, second card, pcscd killed, blank ordered, SIGTERM: all certified."""
    site.start()
    assert site.offer() == 0
    site.stage.insert()
    site.until_open()
    site.fill(5)
    told = site.status()
    assert told["purpose"] == "validation" and told["bytes"] > 0
    site.stage.pull()
    site.until_blank()
    assert site.offer() == 0

    site.stage.insert()
    site.until_open()
    site.stage.insert(site.stage.new_card(), slot=1)
    site.until_blank()
    site.stage.pull(slot=1)
    site.until_open()  # one is left, and consents again

    site.stage.daemon.kill()
    began = time.monotonic()
    site.until_blank()
    assert time.monotonic() - began < 3.0  # reported by the bench; here it must end
    site.stage.daemon.start()
    site.stage.insert()
    site.until_open()

    assert vault_row(site).says.startswith("OPEN for validation, ")
    ask(site.config.vault_socket, "blank")
    assert site.status()["verified_blank"]
    assert vault_row(site) == Finding("vault", GREEN, "BLANK (verified)")
    site.stage.pull()
    site.stage.insert()
    site.until_open()
    site.fill(1)
    assert site.stop() == 0
    assert vault_row(site).light == ORANGE and "no vault" in vault_row(site).says
    reasons = site.reasons()
    assert reasons[0] == "start" and reasons[-1] == "shutdown"
    assert reasons[1] in ("removed", "card-error")
    assert reasons[2] in ("second-card", "card-error")
    assert reasons[3] in ("daemon-gone", "reader-gone", "card-error")
    assert reasons[4] == "ordered"
    lease = site.chain()[1].body["leases"][0]
    assert lease["sealed"] >= 5


def test_a_reader_that_is_unplugged_ends_blank_within_1500_ms(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Through the real pcscd, which removes it as it removes a USB reader."""
    cable = Cable(tmp_path_factory.mktemp("reader"))
    with VaultProcess(tmp_path_factory.mktemp("v"), library=cable.library) as site:
        site.start()
        for _ in range(4):
            assert unplug(site, cable).after <= ANSWER_MAX_AGE_S == 1.5
        site.stage.insert()
        site.until_open()  # plugged in again, it serves as before
        site.stop()
        ends = {each.body["reason"] for each in site.chain()[1:-1]}
        assert ends <= {"reader-gone", "missed-beat"}


@pytest.mark.parametrize("way", ["a card gives no answer", "pcscd is stopped"])
def test_a_pcscd_that_hangs_is_told_of_and_another_serves_the_same_card(
    tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    """What doorsill-pcscd.service does of it in a shop, the test does here."""
    lets_go = threading.Event()
    soon = "from doorsill.drivers.token import pcsc_calls as c; c.HANGS_S = 2.0"
    with VaultProcess(tmp_path_factory.mktemp("v"), before=soon) as site:

        def no_answer(*_: bytes) -> None:
            lets_go.wait(PROGRAM_S)

        def word() -> str:
            return read_note(site.config.pcscd_note, (HANGS, ANSWERS))

        site.start()
        site.stage.insert()
        site.until_open()
        assert word() == "" and site.status()["reader"] == "ready"  # the control
        if way == "pcscd is stopped":
            os.kill(site.stage.daemon.pid, signal.SIGSTOP)
        else:
            site.stage.card.trouble = no_answer
        site.until_blank()
        site.until(lambda: word() == HANGS)
        row = next(
            each for each in report(site.config, utc_now()) if each.what == "reader"
        )
        assert row.light == RED and "pcscd hangs" in row.says and row.step
        assert site.offer() == 0
        site.stage.daemon.kill()
        site.until(lambda: word() == ANSWERS)
        site.stage.card.trouble = None
        lets_go.set()
        site.stage.daemon.start()
        site.stage.insert()
        site.until_open()
        assert site.stop() == 0
        assert site.reasons() == ["start", "missed-beat", "shutdown"]


CARDS: list[tuple[str, Callable[[VaultProcess], VirtualCard], str]] = [
    ("other site", lambda s: s.stage.new_card(site="braga-1"), "this site wants"),
    ("other purpose", lambda s: s.stage.new_card(purpose="fun"), "this site wants"),
    (
        "ended",
        lambda s: s.stage.new_card(not_before=time.time() - 40 * 86400, days=1),
        "ended on",
    ),
    ("cloned", lambda s: s.stage.card.clone(), "answer is not this card's"),
    ("empty", lambda s: VirtualCard(), "not on this card"),
    ("of another CA", lambda s: foreign(s), "not signed by this site's consent CA"),
    (
        "talks nonsense",
        lambda s: troubled(s, lambda apdu, answer: b"\xde\xad\xbe\xef" * 9),
        "the card:",
    ),
]


def foreign(site: VaultProcess) -> VirtualCard:
    controller = Controller(utc=time.time() - 86400)
    stage = site.stage
    ca, key = stage.ca, stage.key
    stage.ca, stage.key = controller.ca, controller.key
    try:
        return stage.new_card()
    finally:
        stage.ca, stage.key = ca, key


def troubled(
    site: VaultProcess, trouble: Callable[[bytes, bytes], bytes | None]
) -> VirtualCard:
    card = site.stage.new_card()
    card.trouble = trouble
    return card


def test_no_wrong_card_opens_it_and_the_right_one_still_does(
    site: VaultProcess,
) -> None:
    site.start()
    for name, make, said in CARDS:
        site.log.write_bytes(b"")
        site.stage.insert(make(site))
        site.until(lambda said=said: said in site.said())
        ends = time.monotonic() + 0.3
        while time.monotonic() < ends:
            assert site.offer() == 0
            assert site.status()["state"] != "open", name
        site.stage.pull()
        site.until(lambda: not site.status()["card_in"])
    site.stage.insert()
    site.until_open()
    site.stop()
    assert site.reasons() == ["start", "shutdown"]


@pytest.mark.parametrize("medium", ["memory", "medium"])
def test_after_kill_9_nothing_is_readable_and_the_next_start_blanks_first(
    tmp_path_factory: pytest.TempPathFactory, medium: str
) -> None:
    with VaultProcess(tmp_path_factory.mktemp("v"), medium) as site:
        site.start()
        site.stage.insert()
        site.until_open()
        picture = np.random.default_rng(5).integers(0, 256, (120, 160, 3), np.uint8)
        site.fill(4, picture)
        site.stop(signal.SIGKILL)
        path = site.config.vault_folder / "medium"
        if medium == "medium":
            left = path.read_bytes()
            assert any(left)
            rows = [row.tobytes()[60:76] for row in picture[30:60]]
            assert not any(row in left for row in rows)
        assert site.offer() == 0  # its lease went with it
        site.stage.pull()
        site.start()
        assert site.status()["state"] == "blank"
        if medium == "medium":
            assert not any(path.read_bytes())
        site.stop()
        assert site.reasons() == ["start", "died", "shutdown"]


def test_a_newer_policy_shuts_it_and_holds_from_then_on(site: VaultProcess) -> None:
    site.start()
    site.stage.insert()
    site.until_open()
    body = site.site.policy_body()
    body["version"] = 2
    body["consent"] = {**body["consent"], "purposes": ["something-else"]}
    signed = canonical.seal(body, site.site.controller)
    new = site.config.policy_in_force.with_suffix(".new")
    new.write_bytes(signed)
    new.replace(site.config.policy_in_force)
    site.until(lambda: "something-else" in site.said())
    assert site.status()["state"] != "open"
    site.stop()
    assert "policy-changed" in site.reasons()


def test_a_policy_forged_on_the_device_ends_it_blank(site: VaultProcess) -> None:
    site.start()
    site.stage.insert()
    site.until_open()
    body = {**site.site.policy_body(), "version": 2}
    forged = canonical.seal(body, site.stage.key)
    new = site.config.policy_in_force.with_suffix(".new")
    new.write_bytes(forged)
    new.replace(site.config.policy_in_force)  # whole: half of one is refused as well
    assert site.process is not None and site.process.wait(20) != 0
    assert "does not match" in site.said()
    assert site.reasons()[-1] == "shutdown"


def test_a_second_vault_is_refused(site: VaultProcess) -> None:
    site.start()
    command = [sys.executable, "-m", "doorsill", "run", "--only", "vault", "--config"]
    with pytest.raises(subprocess.CalledProcessError) as caught:
        subprocess.run(
            [*command, str(site.site.configuration)],
            check=True,
            capture_output=True,
            env={**os.environ, **site.stage.environment},
            timeout=PROGRAM_S,
        )
    assert b"another vault is at work" in caught.value.stderr
    assert site.status()["verified_blank"]


def test_an_unclean_chain_keeps_it_shut_and_the_medium_is_blanked(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with VaultProcess(tmp_path_factory.mktemp("v"), "medium") as site:
        site.start()
        site.stage.insert()
        site.until_open()
        site.fill(2)
        site.stop(signal.SIGKILL)
        newest = max(site.config.certificates.glob("0*.json"))
        newest.write_bytes(newest.read_bytes().replace(b'"counter":1', b'"counter":7'))
        site.start(wait=False)
        assert site.process is not None and site.process.wait(20) != 0
        assert "doorsill: " in site.said()
        assert not any((site.config.vault_folder / "medium").read_bytes())


PROBE = """\
import ctypes, pathlib, socket
import doorsill.services.vault_opening as P
import doorsill.services.vault as S
confine = S.confine
def tried(name, act):
    try:
        act()
        print(name, "WORKED", flush=True)
    except OSError as error:
        print(name, "refused", error.errno, flush=True)
def probe(keep):
    confine(keep)
    for family in ("INET", "INET6", "NETLINK", "UNIX"):
        number = getattr(socket, "AF_" + family)
        tried(family, lambda: socket.socket(number, socket.SOCK_RAW - 1))
    tried("file", lambda: pathlib.Path(sys.argv[1] + ".x").write_bytes(b"x"))
    tried("own", lambda: keep.writable[0].joinpath("x").write_bytes(b"x"))
    print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
S.confine = probe
"""


@pytest.mark.parametrize("confined", [True, False])
def test_the_process_has_no_network_and_writes_only_its_folder(
    tmp_path_factory: pytest.TempPathFactory, confined: bool
) -> None:
    open_up = "confine = lambda *_: None\n"
    before = PROBE if confined else PROBE + open_up
    with VaultProcess(tmp_path_factory.mktemp("v"), before=before) as site:
        site.start()
        said = site.said()
        for name in ("INET", "INET6", "NETLINK", "UNIX", "file"):
            assert f"{name} {'refused' if confined else 'WORKED'}" in said
        assert "own WORKED" in said
        assert f"dumpable {0 if confined else 1}" in said


def test_no_certificate_speaks_of_core_dumps(site: VaultProcess) -> None:
    """Not even that of the start, which comes before the process confines itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # it inherits this
    try:
        site.start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    site.stop()
    assert {each.body["system"]["core_dumps"] for each in site.chain()} == {"off"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a user may lock little memory")
def test_all_memory_of_the_process_is_locked_against_swap(site: VaultProcess) -> None:
    """Not the key alone: a library copies what it works with."""
    site.start()
    said = Path(f"/proc/{site.pid}/status").read_text().splitlines()
    kib = {line.split(":")[0]: line.split()[1] for line in said if line[:2] == "Vm"}
    assert int(kib["VmLck"]) >= int(kib["VmRSS"]) > 10_000
    assert kib["VmSwap"] == "0"


@pytest.fixture
def with_card(site: VaultProcess, monkeypatch: pytest.MonkeyPatch) -> VaultProcess:
    """A vault that runs, and commands that reach its card."""
    for name, value in site.stage.environment.items():
        monkeypatch.setenv(name, value)
    site.start()
    return site


PICTURE = np.random.default_rng(6).integers(0, 256, (120, 160, 3), np.uint8)


def exported(
    capsys: pytest.CaptureFixture[str], site: VaultProcess, folder: Path
) -> Path:
    """An export of a session in which PICTURE was sealed three times."""
    site.stage.insert()
    site.until_open()
    site.fill(3, PICTURE)
    path = folder / "faces.sealed"
    code, said = run(capsys, site, "export", str(path))
    assert code == 0 and "sealed to the card" in said
    return path


def opened(site: VaultProcess, path: Path, pin: str) -> tuple[int, str]:
    """In a process of its own: libpcsclite goes to one daemon all its life."""
    command = [sys.executable, "-m", "doorsill", "vault", "open", str(path)]
    ca = site.config.broker.ca  # the fleet's: it certified the device as well
    done = subprocess.run(
        [*command, "--to", f"{path}.faces", "--ca", str(ca)],
        input=pin + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_is_sealed_is_listed_and_exported_while_the_card_is_in(
    with_card: VaultProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(capsys, with_card, "list")
    assert code == 0 and said.startswith("BLANK (verified")
    code, said = run(capsys, with_card, "export", str(tmp_path / "early.sealed"))
    assert code == 3 and "no card has just answered" in said
    path = exported(capsys, with_card, tmp_path)
    code, said = run(capsys, with_card, "list")
    assert code == 0 and said.startswith("OPEN for validation: ")
    assert PICTURE[40].tobytes()[60:90] not in path.read_bytes()
    assert run(capsys, with_card, "export", str(path))[0] == 2  # exists


def test_an_export_opens_with_the_pin_and_only_as_it_was_sealed(
    with_card: VaultProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, pin = exported(capsys, with_card, tmp_path), with_card.stage.card.pin
    assert opened(with_card, path, "000000")[0] == 3
    code, said = opened(with_card, path, pin)
    assert code == 0, said
    faces = sorted(Path(f"{path}.faces").glob("*.ppm"))
    assert len(faces) >= 3
    assert faces[0].read_bytes().endswith(PICTURE[14:82, 19:109].tobytes())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    for name, content, says in (
        ("altered", data, "not what was sealed"),
        ("short", data[:-5], "cut short"),
    ):
        (tmp_path / name).write_bytes(content)
        code, said = opened(with_card, tmp_path / name, pin)
        assert code == 3 and says in said


def test_it_is_blanked_on_order_whether_it_runs_or_not(
    with_card: VaultProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    with_card.stage.insert()
    with_card.until_open()
    with_card.fill(3, PICTURE)
    code, said = run(capsys, with_card, "blank")
    assert code == 0 and "certificate 0000000002.json" in said
    with_card.stop()
    assert run(capsys, with_card, "list")[0] == 2  # nobody is there to ask
    command = [sys.executable, "-m", "doorsill", "vault", "blank", "--config"]
    done = subprocess.run(  # the memory that it locks is not this process's
        [*command, str(with_card.site.configuration)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert done.returncode == 0, done.stderr
    assert "BLANK (verified)" in done.stdout
    assert with_card.reasons()[-1] == "ordered"


def test_the_counter_sends_away_whoever_asks_for_something_else(
    site: VaultProcess,
) -> None:
    site.start()
    for word in (b"open sesame", b"", bytes(4000)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.connect(str(site.config.vault_socket))
            line.settimeout(5)
            line.send(word)
            assert line.recv(100) == b""
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(6)]
    for line in idle:
        line.connect(str(site.config.vault_socket))
    for line in idle:
        line.close()
    site.until_blank()  # it answers again
    with pytest.raises(ConfigError, match="no vault answers"):
        ask(site.folder / "none.sock", "status")
    with pytest.raises(UntrustedError, match="no card has just answered"):
        ask(site.config.vault_socket, "export")
    assert cards.PURPOSE.fullmatch("validation")
