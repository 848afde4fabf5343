"""`doorsill-fleet policy`: from a draft to what cameras obey, at a real broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fleets import SITE, FleetWorld, address_in, enrolled, fleet_world
from limits import END_S, wait_until
from messages import HEALTH
from obeying import OBEYS, PlayedCamera, playing

from doorsill.cli import main
from doorsill.documents import canonical, pem
from doorsill.policy.store import read_public_key
from doorsill.wire.codec import encode
from doorsill_fleet.broker.local import running
from doorsill_fleet.cli import policy as command
from doorsill_fleet.cli.main import run
from doorsill_fleet.policies.push import alone
from doorsill_fleet.policies.signed import newest
from doorsill_fleet.registry.register import transaction
from doorsill_fleet.store.windows import Store

NAME = "Example Stores, 1 Road"


@dataclass
class Office:
    """A chain with two cameras, and what was said to the person at it."""

    fleet: FleetWorld
    folder: Path
    capsys: pytest.CaptureFixture[str]
    editor: Path
    vouchers: dict[str, str] = field(default_factory=dict)

    def policy(self, *words: str) -> tuple[int, str]:
        """Exit code, and all that was said."""
        own = ["--folder", str(self.fleet.chain.folder)]
        self.capsys.readouterr()
        code = run(["policy", *words, *own])
        said = self.capsys.readouterr()
        return code, said.out + said.err

    @property
    def draft(self) -> Path:
        return self.fleet.chain.folder / "policies" / f"{SITE}.toml"

    def edit(self, old: str, new: str) -> tuple[int, str]:
        """`policy edit`, with an editor that replaces one text."""
        self.editor.write_text(
            "import sys, pathlib\n"
            "path = pathlib.Path(sys.argv[1])\n"
            f"text = path.read_text()\nassert {old!r} in text, text\n"
            f"path.write_text(text.replace({old!r}, {new!r}))\n"
        )
        return self.policy("edit", SITE)

    def first(self) -> None:
        """The first version, signed."""
        code, said = self.edit('"name and address of who is responsible"', f'"{NAME}"')
        assert code == 0, said
        code, said = self.policy("sign", SITE)
        assert code == 0, said


@pytest.fixture
def office(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Office]:
    import sys

    editor = tmp_path / "editor.py"
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    monkeypatch.delenv("VISUAL", raising=False)
    with fleet_world(tmp_path) as fleet:
        made = fleet.add(2)
        found = Office(fleet, tmp_path, capsys, editor)
        found.vouchers = {each.device: fleet.voucher(each).text() for each in made}
        yield found


@contextmanager
def cameras(office: Office, **answers: str) -> Iterator[dict[str, PlayedCamera]]:
    """The broker, and both cameras at it; each one's answer by its number."""
    chain = office.fleet.chain
    with ExitStack() as kept:
        kept.enter_context(running(chain.broker, chain.places.broker_port))
        played = {}
        for name, voucher in office.vouchers.items():
            folder = office.folder / name
            if not folder.exists():
                enrolled(office.fleet, folder, voucher).publisher.stop()
            answer = answers.get(name.replace("-", "_"), OBEYS)
            played[name] = kept.enter_context(playing(address_in(folder), answer))
        yield played


def test_from_a_draft_to_two_cameras_that_obey(office: Office) -> None:
    office.first()
    code, said = office.edit('id = "door"', 'id = "gate"')
    assert code == 0 and "version 2, for 2 cameras" in said
    code, said = office.policy("diff", SITE)
    assert code == 0 and "cam-01, cam-02:" in said
    assert "line door: is gone" in said and "line gate: is new" in said
    assert office.policy("status", SITE)[0] == 1
    assert office.policy("sign", SITE)[0] == 0
    with cameras(office) as played:
        code, said = office.policy("push", SITE, "--wait", "20")
        assert code == 0, said
        assert "cam-01: in force" in said and "cam-02: in force" in said
        key = read_public_key(office.fleet.chain.folder / "controller.key.pub")
        for name, camera in played.items():
            body = canonical.unseal(camera.documents[-1], key)
            assert (body["devices"], body["version"]) == ([name], 2)
    code, said = office.policy("status")
    assert code == 0, said
    rows = [line.split() for line in said.splitlines()[1:]]
    assert rows == [[SITE, name, "2", "2"] for name in ("cam-01", "cam-02")]


def test_what_was_pushed_waits_for_a_camera_that_is_off(office: Office) -> None:
    office.first()
    with cameras(office, cam_02=""):
        code, said = office.policy("push", SITE, "--wait", "1.5")
        assert code == 1 and "cam-01: in force" in said
        assert "cam-02: has not said yet; it gets it when it is back" in said
    with cameras(office) as played:  # another broker process; the message is on disk
        wait_until(lambda: played["cam-02"].documents)
    code, said = office.policy("status", SITE)
    assert code == 1 and "it never said which" in said


def test_a_refusal_is_a_row_with_its_reason_and_the_next_step(office: Office) -> None:
    office.first()
    with cameras(office, cam_02="rollback") as played:
        code, said = office.policy("push", SITE, "--wait", "20")
        assert code == 1 and "cam-02: refused: rollback" in said
        health = _refusal_of(played["cam-02"])
    store = Store(str(office.fleet.chain.folder / "store.db"), "")
    store.keep([(f"doorsill/{SITE}/cam-02/health", health)])
    store.close()
    code, said = office.policy("status", SITE)
    row = next(line for line in said.splitlines() if "cam-02" in line)
    assert "1: not newer than its own" in row and "sign with a higher version" in row


def _refusal_of(camera: PlayedCamera) -> bytes:
    import hashlib
    import time
    from dataclasses import replace

    received = hashlib.sha256(camera.documents[-1]).hexdigest()[:32]
    return encode(
        replace(
            HEALTH,
            time=int(time.time()),
            policy_refused=received,
            policy_why="rollback",
        )
    )


def test_a_camera_that_enrols_gets_its_own_document(office: Office) -> None:
    office.first()
    folder = office.folder / "cam-02"
    enrolled(office.fleet, folder, office.vouchers["cam-02"]).publisher.stop()
    body = canonical.split((folder / "policy.json").read_bytes())[0]
    assert body["devices"] == ["cam-02"] and body["controller"] == NAME


def test_the_documents_can_be_carried_by_hand_with_the_signs(office: Office) -> None:
    office.first()
    folder = office.fleet.chain.folder / "policies" / SITE
    path = str(folder / "cam-01.json")
    controller = str(office.fleet.chain.folder / "controller.key.pub")
    words = ["--controller", controller, "--site", SITE, "--device", "cam-01"]
    assert main.run(["policy", "check", path, *words]) == 0
    assert NAME in " ".join((folder / "cam-01.sign.txt").read_text().split())


REFUSED = [
    pytest.param('purpose = "', 'colour = 1\npurpose = "', "colour", id="unknown key"),
    pytest.param("k = 10", "k = 9", "below the minimum", id="below a floor"),
    pytest.param('id = "cam-02"', 'id = "cam-09"', "no camera of", id="a stranger"),
    pytest.param(
        "# [consent]",
        "[consent]\npurposes = ['validation']\nca = '" + "ab" * 32 + "'\n"
        "max_seconds = 60\nmax_bytes = 4096\nmax_crops = 1\nrevoked = "
        + str([f"{n:040x}" for n in range(400)])
        + "\n# [was]",
        "16384 at most",
        id="17 KiB",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), REFUSED)
def test_a_bad_draft_is_kept_and_never_signed(
    office: Office, old: str, new: str, said: str
) -> None:
    office.first()
    code, words = office.edit(old, new)
    assert code == 2 and said in words and str(office.draft) in words
    code, words = office.policy("sign", SITE)
    assert code == 2 and said in words
    with transaction(office.fleet.register) as session:
        row = newest(session, SITE, "cam-01")
        assert row is not None and row.version == 1


@pytest.mark.parametrize("word", ["edit", "diff", "sign", "push", "status"])
@pytest.mark.parametrize("site", ["../x", "porto-9", "", "a" * 17])
def test_a_site_that_cannot_be_is_refused(office: Office, word: str, site: str) -> None:
    before = sorted(office.folder.rglob("*"))
    code, said = office.policy(word, site)
    assert code == 2 and "Traceback" not in said
    assert sorted(office.folder.rglob("*")) == before


def test_nothing_is_signed_twice_and_nothing_new_needs_a_draft(office: Office) -> None:
    code, said = office.policy("sign", SITE)
    assert code == 2 and "has no draft" in said
    code, said = office.policy("push", SITE)
    assert code == 2 and "nothing was signed" in said
    office.first()
    assert office.policy("diff", SITE)[0] == 1
    code, said = office.policy("sign", SITE)
    assert code == 2 and "nothing is to sign" in said


def test_another_key_than_the_controllers_signs_nothing(office: Office) -> None:
    office.first()
    office.edit("k = 10", "k = 12")
    pem.create_key(office.folder / "other.key")
    key = str(office.folder / "other.key")
    code, said = office.policy("sign", SITE, "--key", key)
    assert code == 3 and "not the controller's" in said
    safe = office.fleet.chain.folder / "safe"
    safe.rename(office.folder / "away")
    code, said = office.policy("sign", SITE)
    assert code == 2 and "it lies in the safe: give --key FILE" in said


def test_two_who_sign_at_once_the_second_is_refused_and_nothing_of_it_kept(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has read the draft and holds its signatures when the first is kept."""
    office.first()
    office.edit("k = 10", "k = 12")
    theirs = office.draft.read_text()
    put = command.signed.keep

    def first_the_other(*given: object) -> None:
        monkeypatch.setattr(command.signed, "keep", put)
        return put(*given)  # type: ignore[arg-type]

    made = []
    sign = command.signed.sign

    def slowly(*given: object) -> object:
        found = sign(*given)  # type: ignore[arg-type]
        if not made:
            made.append(found)
            office.draft.write_text(theirs.replace("k = 12", "k = 13"))
            assert run(
                ["policy", "sign", SITE, "--folder", str(office.fleet.chain.folder)]
            ) == 0  # fmt: skip
        return found

    monkeypatch.setattr(command.signed, "sign", slowly)
    monkeypatch.setattr(command.signed, "keep", first_the_other)
    code, said = office.policy("sign", SITE)
    assert code == 2 and "version 2 of shop-1 was signed already" in said
    with transaction(office.fleet.register) as session:
        row = newest(session, SITE, "cam-01")
        assert row is not None and '"k":13' in row.document


def test_two_who_push_at_once_one_publishes_and_the_other_is_told(
    office: Office,
) -> None:
    office.first()
    with cameras(office) as played, alone(office.fleet.chain, SITE):
        code, said = office.policy("push", SITE, "--wait", "1")
        assert code == 2
        assert "somebody else pushes a policy to shop-1 now" in said
        assert "nothing was published" in said
        assert all(camera.documents == [] for camera in played.values())


def test_two_pushes_in_a_race_leave_one_version_everywhere(office: Office) -> None:
    office.first()
    own = ["--folder", str(office.fleet.chain.folder), "--wait", "5"]
    codes: list[int] = []
    with cameras(office) as played:
        both = [
            threading.Thread(
                target=lambda: codes.append(run(["policy", "push", SITE, *own]))
            )
            for _ in range(2)
        ]
        for each in both:
            each.start()
        for each in both:
            each.join(END_S)
        assert 0 in codes and set(codes) <= {0, 2, 5}
        wait_until(lambda: all(camera.documents for camera in played.values()))
        versions = {
            canonical.split(each)[0]["version"]
            for camera in played.values()
            for each in camera.documents
        }
    assert versions == {1}


def test_two_who_edit_at_once_lose_no_word(office: Office) -> None:
    office.first()
    code, said = office.edit(
        "k = 10",
        "k = 12",
    )
    assert code == 0
    office.editor.write_text(
        "import sys, pathlib\n"
        f"pathlib.Path({str(office.draft)!r}).write_text('theirs')\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "path.write_text(path.read_text().replace('k = 12', 'k = 77'))\n"
    )
    code, said = office.policy("edit", SITE)
    assert code == 2 and "somebody else kept" in said
    assert office.draft.read_text() == "theirs"
    (copy,) = office.draft.parent.glob(f"{SITE}.*.toml")
    assert "k = 77" in copy.read_text() and str(copy) in said


@pytest.mark.parametrize(
    ("editor", "said"),
    [
        pytest.param("/no/such/editor", "cannot start the editor", id="none"),
        pytest.param("false", "ended with 1", id="it failed"),
    ],
)
def test_an_editor_that_fails_changes_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, editor: str, said: str
) -> None:
    office.first()
    before = office.draft.read_bytes()
    monkeypatch.setenv("EDITOR", editor)
    code, words = office.policy("edit", SITE)
    assert code == 2 and said in words
    assert office.draft.read_bytes() == before


def test_a_broker_that_is_away_is_said_and_nothing_is_noted(office: Office) -> None:
    office.first()
    code, said = office.policy("push", SITE, "--wait", "1")
    assert code == 5 and "nobody listens at" in said
    code, said = office.policy("status", SITE)
    assert code == 1 and f"doorsill-fleet policy push {SITE}" in said


def test_a_broker_that_knows_no_camera_of_ours_refuses_it_in_words(
    office: Office,
) -> None:
    office.first()
    chain = office.fleet.chain
    (chain.broker / "access").write_text("")
    with running(chain.broker, chain.places.broker_port):
        code, said = office.policy("push", SITE, "--wait", "1")
    assert code == 5 and "refuses doorsill/shop-1/cam-01/policy: not authorised" in said
