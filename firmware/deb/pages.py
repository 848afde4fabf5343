"""Manual pages and completion of both programs, made from their parsers.

    python -m deb.pages doorsill OUT        doorsill.1, doorsill.bash and doorsill.zsh

The standard library alone: what declares a command loads nothing of its work.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from doorsill.cli import main as cli
from doorsill.commandline.commands import Command, commands_of
from doorsill.commandline.completion import bash, zsh
from doorsill.commandline.manual import manual

HERE = Path(__file__).resolve().parent
WIDE = "80"  # columns: a page does not depend on who builds it


def camera() -> argparse.ArgumentParser:
    """The camera's program, without what other packages add to it."""
    return cli.whole_parser(cli.COMMANDS)


def office() -> argparse.ArgumentParser:
    """The office's program."""
    from doorsill_fleet.cli import main as fleet

    return fleet.whole_parser()


def beside_the_office() -> argparse.ArgumentParser:
    """What the office's package adds to the camera's program: ``doorsill demo``."""
    from doorsill_fleet.commands import COMMANDS

    return cli.whole_parser(COMMANDS)


PROGRAMS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "doorsill": camera,
    "doorsill-fleet": office,
}
BESIDE = {"doorsill-fleet": ("doorsill", beside_the_office)}  # on the same page


def make(program: str, out: Path) -> dict[str, Path]:
    """Write the three files of ``program``, by the names that files.txt has."""
    os.environ["COLUMNS"] = WIDE
    commands = list(commands_of(PROGRAMS[program]()))
    page = (HERE / f"{program}.1").read_text("utf-8")
    texts = {
        "manual": (f"{program}.1", manual(page, _on_the_page(program, commands))),
        "bash-completion": (f"{program}.bash", bash(program, commands)),
        "zsh-completion": (f"{program}.zsh", zsh(program, commands)),
    }
    made = {}
    for name, (file, text) in texts.items():
        made[name] = out / file
        made[name].write_text(text, encoding="utf-8")
    return made


def _on_the_page(
    program: str, commands: list[Command]
) -> Iterator[tuple[str, Command]]:
    yield from ((program, each) for each in commands)
    if program in BESIDE:
        other, parser = BESIDE[program]
        yield from ((other, each) for each in commands_of(parser()))


def main() -> int:
    """Make one program's files."""
    if len(sys.argv) != 3 or sys.argv[1] not in PROGRAMS:
        sys.stderr.write(f"usage: python -m deb.pages {'|'.join(PROGRAMS)} OUT\n")
        return 2
    make(sys.argv[1], Path(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
