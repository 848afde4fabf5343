"""Every command's wrong inputs, made from the parser: each gets a sentence.

What is asserted of each: the exit code, that the option or the file and its value are
named, that no traceback is shown and no file is lost. All but a sample in this process.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from limits import PROGRAM_S
from wrong_world import LINE, UNREADABLE, WRONG, build, wrong_path

from doorsill.cli import main
from doorsill.commandline.commands import actions_of, commands_of, parsers_of
from doorsill_fleet.cli import main as fleet_cli

WHOLE = main.whole_parser(main.COMMANDS | main.plugins())
FLEET = fleet_cli.whole_parser()
MODULES = {"doorsill": "doorsill", "doorsill-fleet": "doorsill_fleet.cli.main"}
VALUES = ("words", "nan", "inf", "-1", "0", "1e99", "9" * 40, "1,2", "0x10", "", "ä")
ONE_OF = re.compile(r"\((--[\w-]+)[^()|]*\|")  # in a usage: the first of two or more


@dataclass(frozen=True)
class Wrong:
    """One wrong command line, and what is said of it."""

    words: tuple[str, ...]
    says: tuple[str, ...]  # each stands in what is said
    codes: tuple[int, ...] = (2,)
    program: str = "doorsill"

    @property
    def title(self) -> str:
        return " ".join((self.program, *(each[:24] for each in self.words)))


def words_of(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    return tuple(parser.prog.split()[1:])


def options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    for action in actions_of(parser):
        name = next((e for e in action.option_strings if e.startswith("--")), None)
        if name is not None and name != "--help":
            yield name, action


def takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def may_repeat(action: argparse.Action, parser: argparse.ArgumentParser) -> bool:
    """Whether each value is kept, and not the last one alone."""
    kept = argparse.Namespace()
    action(parser, kept, "one", action.option_strings[0])
    return bool(getattr(kept, action.dest) == ["one"])


def of_commands(whole: argparse.ArgumentParser) -> Iterator[Wrong]:
    """Commands that there are not, options that there are not, arguments too many."""
    for parser in parsers_of(whole):
        words = words_of(parser)
        yield Wrong((*words, "--no-such-option"), ("--no-such-option", parser.prog))
        yield Wrong((*words, "--no-such-option=7"), ("no option --no-such-option",))
        yield Wrong((*words, "-z"), ("there is no option -z",))
        (here, *_) = commands_of(parser)
        if here.below:
            yield Wrong((*words, "no-such"), ("there is no command no-such", "one of"))
            yield Wrong(words, ("is required",))
            yield Wrong((*words, ""), ("there is no command",))
            for name, _ in here.below:
                wrong = name[:-1] + "zz" if len(name) > 3 else name + "z"
                yield Wrong((*words, wrong), (f"there is no command {wrong}",))
        elif not any(each.nargs in ("+", "*") for each in actions_of(parser)):
            some = [next(iter(each.values or ["one"])) for each in here.arguments]
            extra = [*some, "one"]
            yield Wrong(
                (*words, *required(parser), *extra), ("one is one argument too many",)
            )


def required(parser: argparse.ArgumentParser) -> list[str]:
    """The options that must be given, each with a value; one of those that exclude."""
    wanted = [name for name, action in options(parser) if action.required]
    wanted += ONE_OF.findall(parser.format_usage())
    return [word for each in wanted for word in (each, "x")]


def of_options(whole: argparse.ArgumentParser) -> Iterator[Wrong]:
    """Each option misspelt, shortened, doubled, without its value, with a wrong one."""
    for parser in parsers_of(whole):
        words = words_of(parser)
        for name, action in options(parser):
            typo = name[:3] + name[4:] if len(name) > 5 else name + "x"
            yield Wrong((*words, typo), (f"there is no option {typo}",))
            if len(name) > 6:
                yield Wrong((*words, name[:5]), (f"there is no option {name[:5]}",))
            if not takes_value(action):
                yield Wrong((*words, f"{name}=1"), (f"{name} takes no value",))
                continue
            yield Wrong((*words, name), (name, "needs a value"))
            if not may_repeat(action, parser):
                twice = (name, "one", name, "two")
                yield Wrong((*words, *twice), (f"{name} is given twice: one and two",))
            if action.type not in (None, str, Path) or action.choices:
                yield from of_values(words, name, action)


def of_values(
    words: tuple[str, ...],
    name: str,
    action: argparse.Action,
) -> Iterator[Wrong]:
    """The values that this option does not take; there is one at least."""
    refused = [each for each in VALUES if not is_taken(each, action)]
    assert "words" in refused or refused == [""], name
    for each in refused:
        yield Wrong((*words, f"{name}={each}"), (name, each[:6]))


def is_taken(value: str, action: argparse.Action) -> bool:
    assert action.type is None or callable(action.type)
    try:
        found = action.type(value) if action.type else value
    except (argparse.ArgumentTypeError, TypeError, ValueError):
        return False
    return action.choices is None or found in action.choices


COUNT = ("count", "door.mp4", "--seconds", "1")
SIGN = ("policy", "sign", "p.toml", "--key", "c.key")
APPLY = ("policy", "apply", "p.json", "--site", "a-site", "--device", "cam-01")
OPEN = ("vault", "open", "faces.sealed", "--to", "new")
# Where a file is read: @ is the wrong one. The codes are for what it holds.
READ: tuple[tuple[tuple[str, ...], str, tuple[int, ...]], ...] = (
    (("count", "@", "--line", LINE), ".mp4", (2, 4)),
    (("count", "door.mp4", "@", "--line", LINE), ".mp4", (2, 4)),  # before the work
    ((*COUNT, "--policy", "@"), ".toml", (2, 3)),
    ((*COUNT, "--policy", "@"), ".json", (2, 3)),
    ((*COUNT, "--line", LINE, "--model", "@"), ".tflite", (2, 3)),
    ((*COUNT, "--line", LINE, "--model", "@"), ".toml", (2, 3)),
    (("run", "--config", "@"), ".toml", (2,)),
    (("run", "--only", "vision", "--config", "@"), ".toml", (2,)),
    (("check", "--config", "@"), ".toml", (2,)),
    (("status", "--config", "@"), ".toml", (2,)),
    (("policy", "new", "q.toml", "--from", "@"), ".json", (2, 3)),
    (("policy", "new", "q.toml", "--from", "@"), ".toml", (2, 3)),
    (("policy", "sign", "@", "--key", "c.key", "--out", "o.json"), ".toml", (2,)),
    (("policy", "sign", "p.toml", "--key", "@", "--out", "o.json"), ".key", (2,)),
    (("policy", "show", "@"), ".toml", (2, 3)),
    (("policy", "show", "@"), ".json", (2, 3)),
    (("policy", "diff", "@", "p.json"), ".json", (2, 3)),
    (("policy", "diff", "p.json", "@"), ".toml", (2, 3)),
    (("policy", "check", "@"), ".json", (2, 3)),
    (("policy", "check", "@", "--controller", "c.key.pub"), ".json", (2, 3)),
    (("policy", "check", "p.json", "--controller", "@"), ".key", (2,)),
    (
        ("policy", "check", "p.json", "--controller", "c.key.pub", "--current", "@"),
        ".json",
        (2, 3),
    ),
    (("policy", "apply", "--config", "@"), ".toml", (2,)),
    ((*APPLY, "--to", "o.json", "--controller", "@"), ".pem", (2,)),
    (("models", "info", "@"), ".tflite", (2, 3)),
    (("models", "info", "@"), ".toml", (2, 3)),
    (("models", "verify", "@"), ".toml", (2, 3)),
    (("models", "bench", "--runs", "1", "@"), ".tflite", (2, 3)),
    (("models", "evaluate", "@", "--data", "clips"), ".tflite", (2, 3)),
    (
        ("models", "evaluate", "detector", "--data", "clips", "--labels", "@"),
        ".json",
        (2,),
    ),
    (("consent", "watch", "--config", "@"), ".toml", (2,)),
    (("consent", "status", "--config", "@"), ".toml", (2,)),
    (("vault", "list", "--config", "@"), ".toml", (2,)),
    (("vault", "blank", "--config", "@"), ".toml", (2,)),
    (("vault", "export", "e.sealed", "--config", "@"), ".toml", (2,)),
    (
        ("vault", "open", "@", "--to", "new", "--ca", "exporter-ca.pem"),
        ".sealed",
        (2, 3),
    ),
    ((*OPEN, "--ca", "@"), ".pem", (2,)),
    (("verify", "@", "--ca", "device-ca.pem"), ".json", (2, 3)),
    (("verify", "certificates", "--ca", "@"), ".pem", (2,)),
    (("verify", "certificates", "--ca", "device-ca.pem", "--crl", "@"), ".crl", (2, 3)),
)


def of_files() -> Iterator[Wrong]:
    """Each file that is read: not there, not a file, or of another kind."""
    for command, suffix, codes in READ:
        for kind in WRONG:
            path = wrong_path(kind, suffix)
            words = tuple(path if word == "@" else word for word in command)
            wanted = (2, *codes) if kind in UNREADABLE else codes
            yield Wrong(words, (Path(path).name,), wanted)


# Where a file is written: @ is one that is there, or cannot be made.
WRITTEN: tuple[tuple[tuple[str, ...], str], ...] = (
    ((*COUNT, "--line", LINE, "--save-plot", "@"), ".svg"),
    ((*COUNT, "--line", LINE, "--csv", "@"), ".csv"),
    (("policy", "key", "@"), ".key"),
    (("policy", "new", "@", "--site", "a-site"), ".toml"),
    ((*SIGN, "--out", "@"), ".json"),
    ((*APPLY, "--controller", "c.key.pub", "--to", "@"), ".json"),
    (("consent", "ca", "@", "--controller", "Ana"), ""),
    (("vault", "open", "faces.sealed", "--ca", "exporter-ca.pem", "--to", "@"), ""),
)
KEPT = ("kept/there", "kept/a-folder", "kept/none/none", "kept/there.txt/below")


def of_written() -> Iterator[Wrong]:
    """Each file that is written: there already, a folder, or in no folder."""
    for command, suffix in WRITTEN:
        for path in KEPT:
            made = "none/" in path and command[:2] in (
                ("consent", "ca"),
                ("vault", "open"),
            )
            if made or (path == "kept/a-folder" and not suffix):
                continue
            words = tuple(path + suffix if word == "@" else word for word in command)
            yield Wrong(words, (path.rsplit("/", 1)[0],))
    same = "p.toml is "  # what is read is never written to, --force or not
    yield Wrong((*SIGN, "--out", "p.toml", "--force"), (same,))
    line = ("--line", LINE, "--force")
    yield Wrong((*COUNT, *line, "--csv", "door.mp4"), ("door.mp4 is what is read",))
    yield Wrong(
        ("count", "door.mp4", "--policy", "p.toml", "--csv", "p.toml", "--force"),
        ("p.toml is what is read",),
    )
    two = ("--csv", "a.svg", "--save-plot", "a.svg")
    yield Wrong((*COUNT, "--line", LINE, *two), ("a.svg is --save-plot and --csv",))


# What people typed, beside what can be made from the parser: the values of texts.
DRAFT = ("policy", "new", "q.toml", "--site", "a-site")
ISSUE = ("consent", "issue", "--ca", "office", "--holder", "Ana")
TYPED: tuple[tuple[tuple[str, ...], str], ...] = (
    *(
        (("count", "door.mp4", f"--line={line}"), says)
        for line, says in (
            ("0.5", "'0.5' must be X0,Y0,X1,Y1"),
            ("0.5,0", "'0.5,0' must be"),
            ("0.5,0,0.5", "'0.5,0,0.5' must be"),
            ("100,200,300,400", "lies outside the picture"),
            ("0,0,1.2,1", "'0,0,1.2,1' lies outside"),
            ("-0.1,0,1,1", "'-0.1,0,1,1' lies outside"),
            ("0.5,0,0.5,0", "a stretch of no length"),
            ("a,b,c,d", "'a,b,c,d' must be"),
            ("0,5;0;0,5;1", "must be X0,Y0"),
            ("0.5 0 0.5 1", "must be X0,Y0"),
            ("nan,0,1,1", "'nan,0,1,1' lies outside"),
            ("0.5,0,0.5,1,", "'0.5,0,0.5,1,' must be"),
            ("", "'' must be"),
        )
    ),
    *(
        (("count", source, "--line", LINE), says)
        for source, says in (
            ("nofile.mp4", "'nofile.mp4' does not exist"),
            (".", "is not a file"),
            ("*.mp4", "'*.mp4' does not exist"),
            ("/dev/null", "/dev/null"),
            ("rtsp:/x", "rtsp:/x"),
            ("-", "'-' does not exist"),
        )
    ),
    (("count", "door.mp4"), "there is nothing to count: give --line"),
    (("count", "door.mp4", "--line", LINE, "--policy", "p.toml"), "not both"),
    ((*COUNT, "--line", LINE, "--model", "nosuch"), "no model named nosuch"),
    ((*COUNT, "--line", LINE, "--save-plot", "a.jpg"), "a.jpg: only .svg and .png"),
    ((*COUNT, "--line", LINE, "--csv", "/no/such/a.csv"), "cannot write /no/such"),
    (("count", "door.mp4", "door.mp4", "--line", LINE, "--save-plot", "a.svg"), "one"),
    ((*COUNT, "--policy", "p.toml", "--starts", "9:00"), "'9:00' must be a time"),
    (("policy", "new", "q.toml"), "give --site NAME, or --from"),
    (("policy", "new", "q.toml", "--site", "No Good"), "'No Good' does not match"),
    ((*DRAFT, "--line", "left"), "--line left must be"),
    ((*DRAFT, "--line", "0,0,2,0"), "outside of the picture"),
    ((*DRAFT, "--staff", "0,0,1,1"), "must be X0,Y0,X1,Y1,X2"),
    ((*DRAFT, "--timezone", "Mars/Base"), "Mars/Base"),
    ((*DRAFT, "--device", "CAM 1"), "CAM 1"),
    ((*DRAFT, "--notice", "a b"), "a b"),
    (("policy", "apply"), "give --config FILE"),
    (("policy", "apply", "p.json"), "give --config FILE"),
    (("policy", "sign", "p.json", "--key", "c.key", "--out", "o"), "is signed already"),
    (("policy", "sign", "p.toml", "--key", "c.key.pub", "--out", "o"), "a public key"),
    (("policy", "check", "p.json", "--controller", "c.key"), "is a private key"),
    (("policy", "key", "c.key"), "never overwritten"),
    (("policy", "key", "n.key", "--card", "--passphrase"), "a card has a PIN"),
    (("models", "info", "nosuch"), "no model named nosuch"),
    (("models", "bench", "nosuch"), "no model named nosuch"),
    (("models", "verify", "detector.tflite"), "no manifest"),
    (("models", "evaluate", "detector", "--data", "none"), "none"),
    (("models", "compile-edgetpu", "detector", "--compiler", "nope"), "nope is not"),
    (("consent", "ca", "office", "--controller", "Ana"), "never overwritten"),
    ((*ISSUE, "--site", "Porto 1", "--purpose", "x"), "site = 'Porto 1'"),
    ((*ISSUE, "--site", "porto", "--purpose", "a b"), "purpose = 'a b'"),
    (
        (*ISSUE, "--site", "p", "--purpose", "x", "--begins", "2039-01-01"),
        "outlive the consent CA",
    ),
    (
        (*ISSUE, "--site", "p", "--purpose", "x", "--begins", "1 May"),
        "'1 May' is not a date",
    ),
    (("consent", "status", "--ca", "office"), "--ca needs --site and --purpose"),
    (("consent", "watch", "--ca", "office", "--site", "a"), "needs --site and"),
    (("demo", "--seconds", "1"), "--seconds 1 is below the minimum of 3"),
    (("demo", "--token", "--seconds", "6"), "below the minimum of 12"),
    (("demo", "--source", "door.mp4"), "--source needs a --line"),
    (("demo", "--line", LINE), "the street has its own line"),
    (("verify", "clips", "--ca", "device-ca.pem"), "clips/head.json is missing"),
    (("verify", "certificates", "--ca", "c.key.pub"), "is a public key"),
)


def of_typed() -> Iterator[Wrong]:
    """What the report of 200 typed inputs found, by kinds."""
    for words, says in TYPED:
        yield Wrong(words, (says,), (2, 3, 4))


EACH = [*of_files(), *of_written(), *of_typed()]
for program in (WHOLE, FLEET):
    for wrong in (*of_commands(program), *of_options(program)):
        EACH.append(replace(wrong, program=program.prog))
ALL = list({(each.program, *each.words): each for each in EACH}.values())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build(folder)
        kept = folder / "kept"
        (kept / "a-folder").mkdir(parents=True)
        for suffix in (".svg", ".csv", ".key", ".toml", ".json"):
            (kept / f"there{suffix}").write_text("kept")
            (kept / f"a-folder{suffix}").mkdir()
        (kept / "there").write_text("kept")
        (kept / "there.txt").write_text("kept")
    return folder


def contents(folder: Path) -> str:
    """A hash of all that lies in ``folder``."""
    hashed = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        hashed.update(str(path).encode())
        if path.is_file():
            hashed.update(path.read_bytes())
    return hashed.hexdigest()


def test_they_are_many() -> None:
    assert len(ALL) >= 1300
    assert len({each.title for each in ALL}) > len(ALL) * 0.95


@pytest.mark.parametrize("wrong", ALL, ids=[each.title for each in ALL])
def test_a_wrong_input_gets_a_sentence(
    wrong: Wrong,
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(world)
    monkeypatch.setattr("doorsill.config.INSTALLED", Path("/none"))
    before = contents(world / "kept")
    run = main.run if wrong.program == "doorsill" else fleet_cli.run
    code = run(list(wrong.words))
    said = capsys.readouterr()
    text = said.out + said.err
    assert code in wrong.codes, text
    assert all(each in text for each in wrong.says), text
    assert "Traceback" not in text and "Errno" not in text
    lines = said.err.splitlines() or [f"doorsill: {said.out}"]
    begins = f"{wrong.program}: "
    assert lines[0].startswith("usage: ") or all(
        each.startswith(begins) for each in lines
    )
    assert contents(world / "kept") == before


SAMPLE = [ALL[number] for number in range(7, len(ALL), len(ALL) // 12)]


@pytest.mark.parametrize("wrong", SAMPLE, ids=[each.title for each in SAMPLE])
def test_and_in_a_process_of_its_own(wrong: Wrong, world: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", MODULES[wrong.program], *wrong.words],
        cwd=world,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert done.returncode in wrong.codes
    assert all(each in done.stdout + done.stderr for each in wrong.says)
    assert "Traceback" not in done.stderr
