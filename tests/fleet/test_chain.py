"""`doorsill-fleet init` makes a chain whole or not at all, and keeps its keys shut."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from limits import PROGRAM_S
from small_disk import fill
from terminal import typed

from doorsill.documents import pem
from doorsill.errors import ConfigError
from doorsill_fleet.ca.keys import open_issuing
from doorsill_fleet.cli.main import run
from doorsill_fleet.office import chain as chains
from doorsill_fleet.office.chain import SECRETS, Chain, Places, make_chain, open_chain
from doorsill_fleet.office.new_folder import whole
from doorsill_fleet.registry.register import open_register

NOW = datetime.now(UTC)
PLACES = Places(("localhost",), 8443, "localhost", 8883)
WORDS = "a long passphrase"
INIT = ["init", "--folder", "fleet", "--host", "localhost"]
FIRST, AGAIN = "new passphrase: ", "the same again: "

# A child that is killed as it puts its n-th file in place.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from doorsill_fleet.office import chain
left, real = [int(sys.argv[2])], chain.put
def put(path, data):
    real(path, data)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
chain.put = put
places = chain.Places(("localhost",), 8443, "localhost", 8883)
chain.make_chain(Path(sys.argv[1]), places, datetime.now(UTC), lambda _: b"")
"""


def make(folder: Path, words: bytes = b"") -> Chain:
    return make_chain(folder, PLACES, NOW, lambda _: words)


def left_in(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        pytest.param([(FIRST, "short")], "has 8 characters or more", id="too short"),
        pytest.param([(FIRST, "")], "has 8 characters or more", id="none"),
        pytest.param(
            [(FIRST, WORDS), (AGAIN, WORDS + "x")], "are not the same", id="two differ"
        ),
        pytest.param(
            [(FIRST, WORDS), (AGAIN, WORDS), (FIRST, "short")],
            "has 8 characters or more", id="the second key's",
        ),
        pytest.param([(FIRST, WORDS), (AGAIN, "\x03")], "interrupted", id="Ctrl-C"),
    ],
)  # fmt: skip
def test_a_passphrase_that_will_not_do_is_a_sentence_and_nothing_is_made(
    tmp_path: Path, answers: list[tuple[str, str]], says: str
) -> None:
    code, screen = typed(INIT, answers, tmp_path)
    assert code in (2, 130) and says in screen and "Traceback" not in screen
    assert WORDS not in screen and left_in(tmp_path) == set()


def test_what_was_typed_opens_each_key_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each_twice = [(FIRST, WORDS), (AGAIN, WORDS)] * len(SECRETS)
    code, screen = typed(INIT, each_twice, tmp_path)
    assert code == 0, screen
    assert "systemd-creds encrypt --name=issuing.passphrase" in screen
    folder = tmp_path / "fleet"
    keys = [folder / "safe" / f"{each}.key" for each in SECRETS if each != "issuing"]
    for path in (*keys, folder / "issuing.key"):
        assert pem.read_key(path, WORDS.encode)
        with pytest.raises(ConfigError, match="passphrase is not that of"):
            pem.read_key(path, lambda: b"another passphrase")


@pytest.mark.parametrize("given", [b"", f"{WORDS}\n".encode() * 8], ids=["none", "all"])
def test_no_passphrase_comes_from_a_pipe(tmp_path: Path, given: bytes) -> None:
    words = [sys.executable, "-m", "doorsill_fleet.cli.main", *INIT]
    done = subprocess.run(
        words, input=given, cwd=tmp_path, capture_output=True, timeout=PROGRAM_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2 and b"run this in a terminal" in done.stderr
    assert left_in(tmp_path) == set()


def credentials(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: bytes) -> None:
    """As systemd hands them over."""
    folder.mkdir(mode=0o700)
    for name, data in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(data)
        path.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))


def nobody_says(words: str) -> None:
    raise AssertionError(words)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["bare", "line", "Windows"])
def test_after_a_reboot_systemd_gives_the_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    made = make(tmp_path / "fleet", WORDS.encode())
    given = WORDS.encode() + end
    credentials(tmp_path / "given", monkeypatch, issuing__passphrase=given)
    assert open_issuing(made, nobody_says).certificate == made.issuing


def test_systemd_gives_the_key_and_its_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(tmp_path / "fleet", WORDS.encode())
    key = (made.folder / "issuing.key").read_bytes()
    (made.folder / "issuing.key").unlink()
    credentials(
        tmp_path / "given", monkeypatch, issuing__key=key,
        issuing__passphrase=WORDS.encode(),
    )  # fmt: skip
    assert open_issuing(made, nobody_says).certificate == made.issuing


def test_a_wrong_passphrase_from_systemd_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(tmp_path / "fleet", WORDS.encode())
    credentials(tmp_path / "given", monkeypatch, issuing__passphrase=b"another one")
    with pytest.raises(ConfigError, match=r"is not that of .*issuing\.key"):
        open_issuing(made, nobody_says)


def test_a_key_that_lies_open_is_never_used_without_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    open_issuing(make(tmp_path / "fleet"), said.append)
    assert len(said) == 1 and "who can read it can make cameras" in said[0]


def test_a_second_time_it_says_that_there_is_one_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*INIT, "--no-passphrase"]) == 0
    before = {p: p.read_bytes() for p in Path("fleet").rglob("*") if p.is_file()}
    assert run([*INIT, "--no-passphrase"]) == 2
    assert "fleet exists" in capsys.readouterr().err
    assert before == {p: p.read_bytes() for p in before}
    assert left_in(tmp_path) == {"fleet"}


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_what_is_in_the_way_stays(tmp_path: Path, what: str) -> None:
    place = tmp_path / "fleet"
    if what == "folder":
        place.mkdir()
    elif what == "file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="exists"):
        make(place)
    assert left_in(tmp_path) == {"fleet"}


def test_two_at_once_are_one_and_a_sentence(tmp_path: Path) -> None:
    with whole(tmp_path / "fleet") as first:
        (first / "root.pem").write_text("the first one's")
        with pytest.raises(ConfigError, match="another program makes a folder"):
            make(tmp_path / "fleet")
        assert (first / "root.pem").read_text() == "the first one's"
    assert left_in(tmp_path) == {"fleet"}


@pytest.mark.parametrize("room_kib", [0, 8, 24, 48, 72])
def test_a_full_disk_leaves_nothing_and_a_second_run_makes_it(
    small_disk: Path, room_kib: int
) -> None:
    filler = fill(small_disk, room_kib * 1024)
    with pytest.raises(ConfigError, match=r"No space left on device"):
        make(small_disk / "fleet")
    assert left_in(small_disk) == {"filler"}
    filler.unlink()
    assert open_chain(make(small_disk / "fleet").folder)


@pytest.mark.parametrize("at", [1, 6, 12])
def test_killed_in_the_middle_it_is_made_by_a_second_run(
    tmp_path: Path, at: int
) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path / "fleet"), str(at)]
    done = subprocess.run(words, timeout=PROGRAM_S, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "fleet").exists()
    made = make(tmp_path / "fleet")
    assert left_in(tmp_path) == {"fleet"}
    assert open_issuing(made, lambda _: None).certificate == made.issuing


def test_a_fault_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains.Authority, "issue_own", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make(tmp_path / "fleet")
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777], ids=oct)
def test_whatever_the_umask_nobody_else_looks_in(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = make(tmp_path / "fleet")
        open_register(made.folder).dispose()
    finally:
        os.umask(before)
    for path in (made.folder, *made.folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif path.suffix in (".key", ".db"):
            assert mode & 0o077 == 0, path


def test_the_register_is_shut_before_anything_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def upgrade(_: object) -> None:
        seen.append(stat.S_IMODE((tmp_path / "store.db").stat().st_mode))

    monkeypatch.setattr("doorsill_fleet.registry.register.upgrade", upgrade)
    before = os.umask(0)
    try:
        open_register(tmp_path).dispose()
    finally:
        os.umask(before)
    assert seen == [0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="root writes into another's folder")
def test_root_does_not_write_into_the_folder_of_a_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What root writes there the service could not read, and cameras would be out."""
    folder = tmp_path / "fleet"
    own = ["--folder", str(folder)]
    assert run(["init", *own, "--host", "localhost", "--no-passphrase"]) == 0
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, nobody, -1)
    capsys.readouterr()
    for words in (["devices"], ["site", "add", "porto-1"], ["broker", "write"]):
        assert run([*words, *own]) == 2
        said = capsys.readouterr().err
        assert f"{folder} is nobody's" in said and "runuser -u nobody" in said
    os.chown(folder, 0, -1)
    assert run(["devices", *own]) == 0
