"""``doorsill policy``: from an empty folder to a policy in force, without a fleet."""

from collections.abc import Callable
from pathlib import Path

import pytest

from doorsill import canonical, cli, policy
from doorsill.notice import notice_text

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def doorsill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["policy", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def signed(doorsill: Run) -> Run:
    assert doorsill("key", "c.key")[0] == 0
    assert doorsill("new", "p.toml", "--site", "porto-1")[0] == 0
    assert doorsill("sign", "p.toml", "--key", "c.key", "--out", "p.json")[0] == 0
    return doorsill


def test_from_nothing_to_a_policy_in_force(signed: Run, tmp_path: Path) -> None:
    code, said, _ = signed("check", "p.json", "--controller", "c.key.pub")
    assert code == 0 and "can be applied" in said
    code, said, _ = signed(
        *("apply", "p.json", "--controller", "c.key.pub", "--to", "now"),
        *("--site", "porto-1", "--device", "cam-01"),
    )
    body, _ = canonical.split((tmp_path / "now").read_bytes())
    assert code == 0 and canonical.digest(body) in said
    code, _, error = signed(
        *("apply", "p.json", "--controller", "c.key.pub", "--to", "now"),
        *("--site", "porto-1", "--device", "cam-01"),
    )
    assert code == 3 and "version 1 is not newer than 1" in error


def test_the_private_key_is_private_and_never_shown(
    signed: Run, tmp_path: Path
) -> None:
    assert (tmp_path / "c.key").stat().st_mode & 0o077 == 0
    code, said, error = signed("key", "c.key")
    assert code == 2 and "never overwritten" in error and "PRIVATE" not in said


def test_a_new_draft_says_the_sign_and_leaves_attributes_off(signed: Run) -> None:
    code, said, _ = signed("new", "q.toml", "--site", "porto-1")
    assert code == 0
    assert "Age and gender are not estimated." in said and "No face is ever" in said


def test_a_notice_switches_the_attributes_on_and_the_sign_says_so(
    signed: Run, tmp_path: Path
) -> None:
    signed("new", "q.toml", "--site", "porto-1", "--notice", "sign-7")
    sign = " ".join((tmp_path / "q.sign.txt").read_text().split())
    assert "apparent age band and apparent gender expression" in sign
    assert "at least 10 people" in sign and "Notice sign-7" in sign


def test_the_sign_follows_the_policy() -> None:
    body = {
        "format": policy.FORMAT,
        "version": 7,
        "site": "s",
        "purpose": "p",
        "controller": "Example, 1 Road",
        "attributes": False,
        "k": 10,
        "epsilon_per_day": 1,
        "timezone": "UTC",
        "lines": [{"id": "a", "points": [[0, 0], [1, 1]]}],
        "consent": {
            "purposes": ["validation", "training-staff"],
            "ca": "00" * 32,
            "revoked": [],
            "max_seconds": 600,
            "max_bytes": 4096,
            "max_crops": 1,
        },
    }
    sign = notice_text(policy.parse(body))
    flat = " ".join(sign.split())
    assert "validation and training-staff" in flat and "at most 10 minutes" in flat
    assert "Example, 1 Road" in flat and "policy 7" in flat
    assert max(map(len, sign.splitlines())) <= 64


BAD = [
    (["new", "x.toml", "--site", "No Good"], 2, "policy.site = 'No Good' does not"),
    (["new", "p.toml", "--site", "a"], 2, "p.toml exists"),
    (["new", "x.toml", "--site", "a", "--line", "0,0,2,0"], 2, "outside of the pict"),
    (["new", "x.toml", "--site", "a", "--line", "left"], 2, "--line left must be X0"),
    (["new", "x.toml", "--site", 'a"\nk=1'], 2, "not TOML"),
    (["sign", "none.toml", "--key", "c.key", "--out", "o"], 2, "cannot read none"),
    (["sign", "p.toml", "--key", "none", "--out", "o"], 2, "cannot read the key"),
    (["sign", "p.toml", "--key", "c.key.pub", "--out", "o"], 2, "has mode"),
    (["sign", "p.json", "--key", "c.key", "--out", "o"], 2, "not TOML"),
    (["check", "p.toml", "--controller", "c.key.pub"], 3, "not canonical JSON"),
    (["check", "p.json", "--controller", "p.json"], 2, "not a public key"),
    (["check", "p.json", "--controller", "d.key.pub"], 3, "other key, or altered"),
    (["show", "c.key"], 2, "not TOML"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), BAD)
def test_a_mistake_gets_one_sentence(
    signed: Run, arguments: list[str], code: int, message: str
) -> None:
    signed("key", "d.key")
    found, _, error = signed(*arguments)
    assert (found, error.count("\n")) == (code, 1)
    assert message in error


def test_a_draft_below_the_floor_cannot_be_signed(signed: Run, tmp_path: Path) -> None:
    draft = tmp_path / "p.toml"
    draft.write_text(draft.read_text().replace("k = 10 ", "k = 2 "))
    code, _, error = signed("sign", "p.toml", "--key", "c.key", "--out", "low.json")
    assert code == 2 and "policy.k = 2 is below the minimum of 10" in error
    assert not (tmp_path / "low.json").exists()


def test_show_says_that_it_did_not_check(signed: Run) -> None:
    code, said, _ = signed("show", "p.json")
    assert code == 0 and "signature was not checked" in said
    assert signed("show", "p.json", "--sign")[1].startswith("=====")


def test_a_sign_that_names_nobody_is_not_passed_over(doorsill: Run) -> None:
    _, said, _ = doorsill("new", "a.toml", "--site", "porto-1")
    assert "the sign names nobody yet" in said
    doorsill("key", "c.key")
    _, said, _ = doorsill("sign", "a.toml", "--key", "c.key", "--out", "a.json")
    assert "the sign names nobody yet" in said
    _, said, _ = doorsill("new", "b.toml", "--site", "s", "--controller", "Ana, Porto")
    assert "names nobody" not in said and "Ana, Porto" in said
