"""``doorsill check`` says all that a start would stumble over, and changes nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from places import MODELS
from virtual import pcscd

from doorsill.cli.check import LOCKS, problems_of
from doorsill.cli.main import run
from doorsill.config import load_config
from doorsill.documents import canonical
from doorsill.drivers.camera.clip import STREET
from doorsill.process.locks import probe_locks
from doorsill.services.children import prepare
from doorsill_fleet.ca.authority import LEAF_VALID, Authority, pem_of
from doorsill_fleet.stage.consent import ConsentStage
from doorsill_fleet.stage.shop import DEVICE, SITE, Stage

LINE = (((0.0, 0.6), (1.0, 0.6)),)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    found = Stage(tmp_path, LINE)
    found.set()
    return found


def edit(stage: Stage, old: str, new: str) -> None:
    text = stage.configuration.read_text()
    assert old in text
    stage.configuration.write_text(text.replace(old, new))


def problems(stage: Stage, now: datetime | None = None) -> list[str]:
    config = load_config(stage.configuration)
    found = problems_of(config, now or datetime.now(UTC))
    return [each.says for each in found if not each.warning]


def test_a_good_shop_has_no_problem(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert problems(stage) == []
    assert run(["check", "--config", str(stage.configuration)]) == 0
    said = capsys.readouterr().out
    assert "nothing is wrong" in said
    assert f"{LOCKS}: {', '.join(probe_locks().words)}" in said


def test_the_locks_that_this_kernel_gives_are_said(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doorsill.process.landlock.version", lambda: 0)
    assert run(["check", "--config", str(stage.configuration)]) == 0
    said = capsys.readouterr().out
    assert "warning: this kernel has no landlock" in said
    shown = said.partition(f"{LOCKS}: ")[2].splitlines()[0].split(", ")
    assert "seccomp" in shown and not any("landlock" in each for each in shown)


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_picamera2_that_cannot_be_imported_is_one_sentence(
    stage: Stage, command: str
) -> None:
    """As on Raspberry Pi OS 12, where it is built for numpy 1."""
    fault = "numpy.dtype size changed, may indicate binary incompatibility"
    (stage.folder / "picamera2.py").write_text(f"raise ValueError({fault!r})\n")
    edit(stage, 'driver = "street"', 'driver = "picamera"')
    edit(stage, 'source = "loop"', 'source = "0"')
    only = ["--only", "vision"] if command == "run" else []
    if only:
        prepare(load_config(stage.configuration))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "doorsill", command, *only),
            *("--config", str(stage.configuration)),
        ],
        env={**os.environ, "PYTHONPATH": str(stage.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if fault in line]
    assert done.returncode == 2, done.stderr
    assert len(said) == 1 and "`pip install 'numpy<2'`" in said[0]
    assert "Traceback" not in done.stderr


@pytest.fixture
def vaulted(tmp_path: Path) -> Stage:
    """A shop with a vault, a key switch, a lamp and a real pcscd with a reader."""
    pcscd()
    cards = ConsentStage(tmp_path, SITE)
    (tmp_path / "consent-ca.pem").write_bytes(cards.ca_pem)
    lines = 'gpio_line = "chip:17"\nlamp_line = "chip:27"\n'
    more = cards.configuration + lines
    found = Stage(tmp_path, LINE, consent=cards.policy, more=more)
    found.set()
    return found


def test_a_good_shop_with_a_vault_has_no_problem(vaulted: Stage) -> None:
    assert problems(vaulted) == []


def stranger(stage: Stage) -> None:
    ca = ConsentStage(stage.folder, SITE)
    (stage.folder / "consent-ca.pem").write_bytes(ca.ca_pem)


def no_cards(stage: Stage) -> None:
    stage.consent = None
    signed = canonical.seal(stage.policy_body(), stage.controller)
    (stage.folder / "policy.json").write_bytes(signed)


def two_jobs(stage: Stage) -> None:
    edit(stage, 'medium = "memory"', 'medium = "spi:/dev/spidev0.0"')
    edit(stage, 'lamp_line = "chip:27"', 'watchdog_line = "chip:17"')


VAULT_FAULTS = [
    pytest.param(stranger, ["is not the consent CA that the policy"], id="other CA"),
    pytest.param(no_cards, ["the policy allows no consent cards"], id="no consent"),
    pytest.param(
        lambda s: edit(s, "chip:27", "27"),
        ["consent.lamp_line = '27' must be"],
        id="27",
    ),
    pytest.param(
        lambda s: edit(s, "chip:27", "chip:17"), ["are the same line"], id="one line"
    ),
    pytest.param(
        lambda s: edit(s, 'lamp_line = "', 'watchdog_line = "'),
        ["consent.watchdog_line powers an SPI memory, not 'memory'"],
        id="a watchdog without its memory",
    ),
    pytest.param(
        two_jobs,
        ["consent.gpio_line and consent.watchdog_line are the same line"],
        id="two jobs for one line",
    ),
]


@pytest.mark.parametrize(("spoil", "expected"), VAULT_FAULTS)
def test_what_would_keep_the_vault_shut_is_said(
    vaulted: Stage, spoil: Callable[[Stage], None], expected: list[str]
) -> None:
    spoil(vaulted)
    found = problems(vaulted)
    assert len(found) == len(expected)
    assert all(words in line for words, line in zip(expected, found, strict=True))


def loosen_key(stage: Stage) -> None:
    (stage.folder / f"{DEVICE}.key").chmod(0o644)


def other_device(stage: Stage) -> None:
    edit(stage, 'id = "cam-01"', 'id = "cam-02"')


def no_authority(stage: Stage) -> None:
    (stage.folder / "broker" / "ca.pem").unlink()


def foreign_certificate(stage: Stage) -> None:
    issued = Authority.create("x", datetime.now(UTC))
    other = issued.issue_device(SITE, DEVICE, datetime.now(UTC))
    other.write(stage.folder, "other")
    edit(stage, 'certificate = "cam-01.pem"', 'certificate = "other.pem"')


def altered_policy(stage: Stage) -> None:
    path = stage.folder / "policy.json"
    path.write_bytes(path.read_bytes().replace(b'"k":10', b'"k":11'))


def low_k(stage: Stage) -> None:
    body = stage.policy_body() | {"k": 2}
    signed = canonical.seal(body, stage.controller)
    (stage.folder / "policy.json").write_bytes(signed)


def no_policy(stage: Stage) -> None:
    (stage.folder / "policy.json").unlink()


def other_site(stage: Stage) -> None:
    edit(stage, 'site = "demo-street"', 'site = "porto-1"')


def no_controller(stage: Stage) -> None:
    (stage.folder / "controller.pem").write_text("not a key")


def network_camera(stage: Stage) -> None:
    edit(stage, 'driver = "street"', 'driver = "video"')
    edit(stage, 'source = "loop"', 'source = "rtsp://camera/1"')


def no_camera(stage: Stage) -> None:
    edit(stage, 'driver = "street"', 'driver = "video"')
    edit(stage, 'source = "loop"', 'source = "/dev/video77"')


def no_model(stage: Stage) -> None:
    edit(stage, 'detector = "detector"', 'detector = "nobody"')


def corrupt_model(stage: Stage) -> None:
    junk = b"junkTFL3" + b"\0" * 4000
    (stage.folder / "bad.tflite").write_bytes(junk)
    body = stage.policy_body() | {"models": [hashlib.sha256(junk).hexdigest()]}
    sealed = canonical.seal(body, stage.controller)
    (stage.folder / "policy.json").write_bytes(sealed)
    edit(stage, 'detector = "detector"', f'detector = "{stage.folder}/bad.tflite"')


def model_without_people(stage: Stage) -> None:
    edit(stage, 'detector = "detector"', f'detector = "{MODELS}/attributes.tflite"')


def state_is_a_file(stage: Stage) -> None:
    (stage.folder / "state").write_text("")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(loosen_key, "mode 0644; the limit is 0600", id="key open to all"),
        pytest.param(other_device, "but device.id = cam-02", id="another device's"),
        pytest.param(no_authority, "cannot read ", id="no CA"),
        pytest.param(
            foreign_certificate, "is not the certificate of", id="key of another"
        ),
        pytest.param(altered_policy, "the signature does not match", id="altered"),
        pytest.param(low_k, "k = 2 is below the minimum of 10", id="k = 2"),
        pytest.param(no_policy, "and none is in force", id="no policy"),
        pytest.param(other_site, "but device.site = porto-1", id="another site"),
        pytest.param(no_controller, "not a public key", id="no controller"),
        pytest.param(network_camera, "has no network", id="a camera on the network"),
        pytest.param(no_camera, "/dev/video77 does not exist", id="no camera"),
        pytest.param(no_model, "no model named nobody", id="no model"),
        pytest.param(corrupt_model, "cannot be loaded", id="a corrupt model"),
        pytest.param(
            model_without_people, "the model gives 1 x 2 and 1 x 4", id="wrong shape"
        ),
        pytest.param(state_is_a_file, "is not a folder", id="state is a file"),
    ],
)
def test_each_problem_is_named(
    stage: Stage, spoil: Callable[[Stage], None], sentence: str
) -> None:
    spoil(stage)
    assert any(sentence in each for each in problems(stage)), problems(stage)


def test_a_missing_key_does_not_hide_a_missing_certificate(stage: Stage) -> None:
    for name in (f"{DEVICE}.key", f"{DEVICE}.pem", "broker/ca.pem"):
        (stage.folder / name).unlink()
    said = " ".join(problems(stage))
    assert all(name in said for name in (f"{DEVICE}.key", f"{DEVICE}.pem", "ca.pem"))


def test_a_certificate_that_ends_soon_is_a_warning_and_no_error(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    began = datetime.now(UTC) - LEAF_VALID + timedelta(days=29)
    stage.authority.issue_device(SITE, DEVICE, began).write(stage.folder, DEVICE)
    assert run(["check", "--config", str(stage.configuration)]) == 0
    said = capsys.readouterr().out
    assert "warning: " in said and "in less than 30 days" in said
    assert "first: have the fleet issue a new certificate" in said


def test_an_expired_ca_before_a_good_one_is_a_warning(stage: Stage) -> None:
    old = Authority.create("old", datetime.now(UTC) - timedelta(days=4000))
    path = stage.folder / "broker" / "ca.pem"
    path.write_bytes(pem_of(old.certificate) + path.read_bytes())
    assert problems(stage) == []


def test_a_ca_that_only_old_certificates_come_from_is_wrong(stage: Stage) -> None:
    old = Authority.create("old", datetime.now(UTC) - timedelta(days=4000))
    (stage.folder / "broker" / "ca.pem").write_bytes(pem_of(old.certificate))
    assert any("CN=old" in each and "expired" in each for each in problems(stage))


def test_an_expired_issuer_behind_a_good_certificate_is_wrong(stage: Stage) -> None:
    old = Authority.create("old", datetime.now(UTC) - timedelta(days=4000))
    path = stage.folder / f"{DEVICE}.pem"
    path.write_bytes(path.read_bytes() + pem_of(old.certificate))
    assert any("the issuing CA CN=old" in each for each in problems(stage))


def test_a_camera_that_gives_no_picture_is_named(stage: Stage) -> None:
    edit(stage, 'driver = "street"', 'driver = "video"')
    (stage.folder / "cut.mp4").write_bytes(STREET.read_bytes()[:400])
    edit(stage, 'source = "loop"', f'source = "{stage.folder}/cut.mp4"')
    assert any("the camera gives no picture: " in each for each in problems(stage))


def test_a_broker_that_has_no_address_is_named(stage: Stage) -> None:
    edit(stage, 'host = "127.0.0.1"', 'host = "nobody.invalid"')
    (said,) = problems(stage)
    assert said.startswith("broker.host = nobody.invalid cannot be resolved")


def test_all_problems_are_said_at_once(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    for spoil in (loosen_key, no_camera, no_model, low_k):
        spoil(stage)
    assert run(["check", "--config", str(stage.configuration)]) == 2
    assert len(capsys.readouterr().out.splitlines()) >= 4


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        pytest.param(-2, "is the clock right?", id="the clock is slow"),
        pytest.param(5000, "expired on", id="expired"),
    ],
)
def test_dates_are_looked_at(stage: Stage, days: int, sentence: str) -> None:
    now = datetime.now(UTC) + timedelta(days=days)
    assert any(sentence in each for each in problems(stage, now))


def test_checking_changes_nothing(stage: Stage) -> None:
    def files() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in stage.folder.rglob("*")}

    before = files()
    problems(stage)
    assert files() == before


@pytest.mark.parametrize(
    ("days", "own", "sentence"),
    [
        pytest.param(0, True, "", id="good"),
        pytest.param(40, True, "the revocation list ended on", id="old"),
        pytest.param(0, False, "is not signed by the broker's CA", id="another CA's"),
        pytest.param(None, True, "is not readable as X.509", id="none"),
    ],
)
def test_a_list_with_which_no_broker_would_be_trusted_is_named(
    stage: Stage, days: int | None, own: bool, sentence: str
) -> None:
    now = datetime.now(UTC)
    ca = stage.authority if own else type(stage.authority).create("x", now)
    path = stage.folder / "revoked.pem"
    path.write_bytes(
        b"no list" if days is None else ca.revocation_list(now - timedelta(days=days))
    )
    edit(stage, '\nkey = "', '\nrevoked = "revoked.pem"\nkey = "')
    found = problems(stage)
    assert len(found) == bool(sentence)
    assert all(sentence in line and "revoked.pem" in line for line in found)
