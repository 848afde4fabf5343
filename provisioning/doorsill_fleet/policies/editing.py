"""A draft in the hands of a person: $EDITOR opens a copy, which is kept at the end.

Two who edit at once do not overwrite each other: who comes second is refused, and the
words stay in the copy.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from doorsill.documents.durable import put
from doorsill.documents.reading import read_file, read_if_there
from doorsill.documents.toml_text import replace_value
from doorsill.errors import ConfigError
from doorsill_fleet.ca.authority import require_name
from doorsill_fleet.policies.draft import first_text

EDITORS = ("VISUAL", "EDITOR")  # variables that name one
EDITOR = "vi"  # POSIX has it everywhere
EDITING_S = 8 * 3600.0  # longest that a person may be at it


def draft_at(folder: Path, site: str) -> Path:
    """Where the draft of ``site`` lies in the chain's ``folder``."""
    return folder / "policies" / f"{require_name(site)}.toml"


def edited(folder: Path, site: str, members: Sequence[str], last: int) -> Path:
    """The draft, after a person was at it; ``last`` is the version that was signed.

    Raises ConfigError if the editor fails, or somebody else kept the draft meanwhile.
    """
    path = draft_at(folder, site)
    before = read_if_there(path)
    text = before.decode() if before else first_text(site, members)
    copy = path.with_name(f"{site}.{os.getpid()}.toml")
    put(copy, _with_version(text, last + 1).encode())
    _open(copy)
    if read_if_there(path) != before:
        raise ConfigError(
            f"somebody else kept {path} meanwhile; your words are in {copy}: see in "
            f"what they differ (diff {copy} {path}), then edit again"
        )
    put(path, read_file(copy))
    copy.unlink()
    return path


def _with_version(text: str, least: int) -> str:
    """``text`` with a version that is free; one that is higher stays."""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "version":
            digits = value.partition("#")[0].strip()
            if digits.isdecimal() and int(digits) >= least:
                return text
            return replace_value(text, "version", f"version = {least}")
    return text


def _open(copy: Path) -> None:
    given = next((os.environ[each] for each in EDITORS if os.environ.get(each)), EDITOR)
    command = [*shlex.split(given), str(copy)]
    try:
        done = subprocess.run(command, check=False, timeout=EDITING_S)
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"the editor was open for {EDITING_S / 3600:g} h; your words are in {copy}"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot start the editor {given!r}: {error.strerror}; set EDITOR, as in "
            f"EDITOR=nano doorsill-fleet policy edit"
        ) from None
    if done.returncode:
        raise ConfigError(
            f"the editor {given!r} ended with {done.returncode}; the draft is as it "
            f"was, and your words are in {copy}"
        )
