"""``doorsill policy``: from an empty folder to a policy in force, without a fleet."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from doorsill.cli import main
from doorsill.documents import canonical, pem
from doorsill.services.policies import store_of
from doorsill_fleet.stage.shop import Stage

Run = Callable[..., tuple[int, str, str]]
ANA = ("--controller", "Ana, 1 High Street, Porto")


@pytest.fixture
def doorsill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.run(["policy", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def signed(doorsill: Run) -> Run:
    assert doorsill("key", "c.key")[0] == 0
    assert doorsill("new", "p.toml", "--site", "porto-1", *ANA)[0] == 0
    assert doorsill("sign", "p.toml", "--key", "c.key", "--out", "p.json")[0] == 0
    return doorsill


def test_from_nothing_to_a_policy_in_force(signed: Run, tmp_path: Path) -> None:
    code, said, _ = signed(*CHECK)
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
    signed("new", "q.toml", "--site", "porto-1", "--notice", "sign-7", *ANA)
    signed("sign", "q.toml", "--key", "c.key", "--out", "q.json")
    sign = " ".join((tmp_path / "q.sign.txt").read_text().split())
    assert "who looks like a child and who like an adult, and apparent gender" in sign
    assert "at least 10 crossings" in sign and "Notice sign-7" in sign


CHECK = ["check", "p.json", "--controller", "c.key.pub"]
APPLY = [
    "apply", "p.json", "--controller", "c.key.pub", "--to", "now", "--device", "cam-01",
]  # fmt: skip
BAD = [
    (["new", "x.toml", "--site", "No Good"], 2, "policy.site = 'No Good' does not"),
    (["new", "x.toml"], 2, "give --site NAME, or --from the policy before"),
    (["new", "p.toml", "--site", "a"], 2, "p.toml exists"),
    (["new", "x.toml", "--site", "a", "--line", "0,0,2,0"], 2, "outside of the pict"),
    (["new", "x.toml", "--site", "a", "--line", "left"], 2, "--line left must be X0"),
    (
        ["new", "x.toml", "--site", "a", "--staff", "0,0,1,1"],
        2,
        "must be X0,Y0,X1,Y1,X2",
    ),
    (["new", "x.toml", "--site", 'a"\nk=1'], 2, "policy.site = 'a\"\\nk=1' does not"),
    (["new", "x.toml", "--from", "none.json"], 2, "cannot read none.json"),
    (["sign", "none.toml", "--key", "c.key", "--out", "o"], 2, "cannot read none"),
    (["sign", "p.toml", "--key", "none", "--out", "o"], 2, "cannot read the key"),
    (["sign", "p.toml", "--key", "c.key.pub", "--out", "o"], 2, "is a public key"),
    (["sign", "p.json", "--key", "c.key", "--out", "o"], 2, "is signed already"),
    (["check", "p.toml", "--controller", "c.key.pub"], 3, "p.toml is a draft; sign it"),
    (
        ["check", "c.key", "--controller", "c.key.pub"],
        3,
        "c.key is a private key, not",
    ),
    (["check", "p.json", "--controller", "p.json"], 2, "not a public key"),
    (["check", "p.json", "--controller", "d.key.pub"], 3, "p.json: the signature does"),
    (
        ["check", "p.json", "--current", "p.toml", "--controller", "c.key.pub"],
        3,
        "is a dr",
    ),
    ([*CHECK, "--site", "braga"], 3, "is for site porto-1, but device.site = braga"),
    ([*CHECK, "--current", "p.json"], 3, "version 1 is not newer than 1"),
    (["apply", "p.json"], 2, "give --config FILE, or FILE with --controller, --to"),
    ([*APPLY, "--site", "braga"], 3, "p.json: the policy is for site porto-1"),
    (["show", "c.key"], 2, "c.key: is a private key, not a policy"),
    (["show", "."], 2, ". is a folder, and no file"),
    (["diff", "p.json", "none"], 2, "cannot read none"),
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


def test_a_policy_that_names_nobody_is_neither_signed_nor_taken(
    doorsill: Run, tmp_path: Path
) -> None:
    _, said, _ = doorsill("new", "a.toml", "--site", "porto-1")
    assert "before it can be signed: put name and address in" in said
    assert doorsill("show", "a.toml")[0] == 0
    doorsill("key", "c.key")
    code, _, error = doorsill("sign", "a.toml", "--key", "c.key", "--out", "a.json")
    assert code == 2 and "a.toml: policy.controller names nobody yet" in error
    assert doorsill("check", "a.toml")[0] == 2
    key = pem.read_key(tmp_path / "c.key")
    body = tomllib.loads((tmp_path / "a.toml").read_text())
    (tmp_path / "a.json").write_bytes(canonical.seal(body, key))
    code, _, error = doorsill("check", "a.json", "--controller", "c.key.pub")
    assert code == 2 and "a.json: policy.controller names nobody yet" in error


def test_each_fault_has_a_line_with_the_file(doorsill: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('k = 2\nsite = "Porto"\nnotize = "x"\n')
    code, _, error = doorsill("check", "bad.toml")
    lines = error.splitlines()
    assert code == 2 and len(lines) == 11
    assert all(line.startswith("doorsill: bad.toml: policy.") for line in lines)
    assert "did you mean notice?" in error


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "with --force"])
def test_the_draft_is_never_overwritten(
    signed: Run, tmp_path: Path, force: tuple[str, ...]
) -> None:
    draft = (tmp_path / "p.toml").read_bytes()
    (tmp_path / "link.json").symlink_to("p.toml")
    (tmp_path / "q.sign.txt").hardlink_to(tmp_path / "p.toml")
    for out in ("p.toml", "./p.toml", "link.json", "q.json"):
        code, _, error = signed(
            "sign", "p.toml", "--key", "c.key", "--out", out, *force
        )
        assert code == 2 and "is the draft itself" in error
    assert (tmp_path / "p.toml").read_bytes() == draft


def test_what_was_signed_goes_only_with_force_and_for_a_newer_one(
    signed: Run, tmp_path: Path
) -> None:
    sign = ("sign", "p.toml", "--key", "c.key", "--out", "p.json")
    before = (tmp_path / "p.json").read_bytes()
    assert "p.json exists; give another name, or --force" in signed(*sign)[2]
    said = signed(*sign, "--force")[2]
    assert "policy.version = 1; p.json has 1, so the next is 2" in said
    assert (tmp_path / "p.json").read_bytes() == before
    draft = tmp_path / "p.toml"
    draft.write_text(draft.read_text().replace("version = 1 ", "version = 2 "))
    assert signed(*sign, "--force")[0] == 0
    (tmp_path / "notes.txt").write_text("of somebody")
    code, _, error = signed(*sign[:-1], "notes.txt", "--force")
    assert code == 2 and "is no signed policy" in error
    assert (tmp_path / "notes.txt").read_text() == "of somebody"


def test_the_next_version_begins_with_the_last_one(signed: Run, tmp_path: Path) -> None:
    new = ("new", "n.toml", "--from", "p.json", "--purpose", 'see "who", \\ and é')
    assert signed(*new)[0] == 0
    assert signed("sign", "n.toml", "--key", "c.key", "--out", "n.json")[0] == 0
    one, two = (canonical.split((tmp_path / f).read_bytes())[0] for f in FILES)
    assert two == {**one, "version": 2, "purpose": 'see "who", \\ and é'}
    code, said, _ = signed("diff", "p.json", "n.json")
    assert code == 0 and said.splitlines() == [
        "p.json -> n.json:",
        "  version: 1 -> 2",
        "  purpose: 'count visitors per hour' -> 'see \"who\", \\\\ and é'",
    ]
    said = signed("diff", "n.json", "p.json")[1]
    assert "a device that has version 2 will not take 1" in said
    assert "they say the same" in signed("diff", "p.json", "p.json")[1]


FILES = ("p.json", "n.json")


def test_several_lines_devices_and_staff_zones(doorsill: Run, tmp_path: Path) -> None:
    doorsill(
        *("new", "m.toml", "--site", "a", "--device", "cam-01", "--device", "cam-02"),
        *(
            "--line",
            "0,0.5,0.4,0.5",
            "--line",
            "0.6,0.5,1,0.5",
            "--staff",
            "0,0,1,0,0,1",
        ),
    )
    body = tomllib.loads((tmp_path / "m.toml").read_text())
    assert [line["id"] for line in body["lines"]] == ["door-1", "door-2"]
    assert body["lines"][1]["points"] == [[0.6, 0.5], [1.0, 0.5]]
    assert body["devices"] == ["cam-01", "cam-02"]
    assert [(zone["id"], zone["kind"]) for zone in body["zones"]] == [
        ("staff", "exclude")
    ]
    said = doorsill("show", "m.toml")[1]
    assert "door-2: 0.6,0.5 1,0.5; IN is downwards" in said
    assert "devices     cam-01, cam-02" in said


def test_an_old_name_of_a_zone_is_not_signed(signed: Run, tmp_path: Path) -> None:
    draft = tmp_path / "p.toml"
    hours = '\n[[hours]]\ndays = ["mon"]\nopens = "09:00"\ncloses = "20:00"\n'
    text = draft.read_text() + hours
    for zone, code in (("Portugal", 2), ("Europe/Lisbon", 0)):
        draft.write_text(text.replace('"UTC"', f'"{zone}"'))
        out = f"{code}.json"
        found = signed("sign", "p.toml", "--key", "c.key", "--out", out)
        assert found[0] == code, found
        assert ("is an old name" in found[2] or "not an IANA" in found[2]) == (
            code == 2
        )


def test_a_file_that_a_device_refuses_is_an_error_and_the_last_one_stays(
    doorsill: Run, tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "shop", (((0.0, 0.6), (1.0, 0.6)),))
    config = stage.set()
    where = ("--config", str(stage.configuration))
    assert "in force: version 1" in doorsill("apply", *where)[1]
    for body, code in (
        (stage.policy_body(), 3),
        (stage.policy_body() | {"version": 2, "site": "braga"}, 3),
        (stage.policy_body() | {"version": 2, "k": 2}, 2),
    ):
        (tmp_path / "x.json").write_bytes(canonical.seal(body, stage.controller))
        found, said, error = doorsill("apply", "x.json", *where)
        assert (found, said) == (code, "") and error.startswith("doorsill: x.json: ")
    assert store_of(config).load().version == 1
    body = stage.policy_body() | {"version": 2}
    (tmp_path / "x.json").write_bytes(canonical.seal(body, stage.controller))
    assert "in force: version 2" in doorsill("apply", "x.json", *where)[1]
    assert "in force: version 2" in doorsill("apply", *where)[1]  # the older stays out
