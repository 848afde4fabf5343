"""``key = value`` in lines, as a person types them; each problem has its line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from doorsill.documents.reading import UTF_16
from doorsill.errors import ConfigError

T = TypeVar("T")

LARGEST_BYTES = 1 << 16  # of such a file
SAVE = "save the file as UTF-8 (Notepad: Save as, Encoding: UTF-8)"
# What word processors and web pages put in place of quotes and blanks.
ODD = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb\u00a0\u200b\u2028\u2029\ufeff"


class Lines:
    """The keys of a file by name; what is wrong is noted, and reading goes on."""

    def __init__(self, data: bytes, examples: Mapping[str, str]) -> None:
        """``examples`` has each key that there is, with a line of it."""
        self._examples = examples
        self._problems: list[tuple[int, str]] = []
        self._given: dict[str, tuple[int, str]] = {}
        self._lost = False  # a line that was meant for some key could not be taken
        for number, line in self._text_lines(data):
            self._take(number, line)

    def has(self, key: str) -> bool:
        """Whether the key is there, with a value or without."""
        return key in self._given

    def value(self, key: str, read: Callable[[str], T], default: T) -> T:
        """What ``read`` makes of the value; its ConfigError is noted with the line."""
        if key not in self._given:
            return default
        number, text = self._given[key]
        try:
            return read(text)
        except ConfigError as error:
            self.note(number, str(error))
        return default

    def require(self, *keys: str) -> None:
        """All of these must be there; not said where a line of them may be lost."""
        for key in keys:
            if key not in self._given and not self._lost:
                self.note(0, f"{key} is missing; add a line: {self._examples[key]}")

    def require_together(self, keys: tuple[str, ...]) -> None:
        """All of these must be there, if one of them is."""
        for key in keys:
            self.require_with(key, *keys)

    def require_with(self, key: str, *others: str) -> None:
        """``key`` must be there, if one of ``others`` is."""
        there = [each for each in others if each in self._given]
        if there and key not in self._given and not self._lost:
            number, _ = self._given[there[0]]
            example = self._examples[key]
            self.note(number, f"{there[0]} needs {key} as well; add a line: {example}")

    def require_different(self, *keys: str) -> None:
        """No two of these may have one value."""
        seen: dict[str, str] = {}
        for key in keys:
            if key in self._given:
                number, value = self._given[key]
                first = seen.setdefault(value, key)
                if first != key:
                    self.note(number, f"{key} and {first} are both {value[:40]!a}")

    def note(self, number: int, problem: str) -> None:
        """Note a problem; line 0 is the file as a whole."""
        self._problems.append((number, problem))

    def end(self) -> None:
        """ConfigError with all problems, in the order of their lines."""
        if self._problems:
            ordered = sorted(self._problems, key=lambda each: each[0])
            raise ConfigError(
                *(
                    f"line {number}: {text}" if number else text
                    for number, text in ordered
                )
            )

    def _text_lines(self, data: bytes) -> Iterator[tuple[int, str]]:
        self._lost = True
        if len(data) > LARGEST_BYTES:
            self.note(
                0, f"the file has {len(data)} bytes; the limit is {LARGEST_BYTES}"
            )
        elif data.startswith(UTF_16) or b"\0" in data[:64]:
            self.note(1, f"this is no text in UTF-8, but in UTF-16; {SAVE}")
        else:
            self._lost = False
            for number, line in enumerate(data.split(b"\n"), 1):
                try:
                    yield number, line.decode("utf-8-sig").strip()
                except UnicodeDecodeError as error:
                    self._refuse_bytes(number, line, error.start)

    def _refuse_bytes(self, number: int, line: bytes, at: int) -> None:
        if not line.lstrip().startswith(b"#"):
            self._lost = True
            self.note(number, f"character {at + 1} is not in UTF-8; {SAVE}")

    def _take(self, number: int, line: str) -> None:
        if not line or line.startswith("#"):
            return
        key, sign, value = line.partition("=")
        key = key.strip().lower()
        if key not in self._examples:
            self._lost = True
            self._refuse_key(number, line, key if sign else "")
        elif key in self._given:
            first, _ = self._given[key]
            self.note(
                number,
                f"{key} is there twice, in line {first} as well; "
                "put # before the one that is wrong",
            )
        elif odd := next((each for each in value.strip() if each in ODD), ""):
            self.note(
                number, f"{key} has the odd character {odd!a}; type the value again"
            )
            self._lost = True
        else:
            self._given[key] = (number, unquoted(value.strip()))

    def _refuse_key(self, number: int, line: str, key: str) -> None:
        if not key:
            word = line.split()[0].rstrip(":").lower()
            example = self._examples.get(word, "site = porto-1")
            self.note(number, f"there is no = in this line; write it like {example}")
            return
        names = list(self._examples)
        close = difflib.get_close_matches(key.replace("_", "-"), names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"
        self.note(number, f"{key[:40]!a} is not a key of this file; {hint}")


def unquoted(text: str) -> str:
    """``text`` without quotes around it, which keep blanks at its ends."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text


def quoted(text: str) -> str:
    """``text`` as :func:`unquoted` gives it back."""
    takes_away = text != text.strip() or (len(text) > 1 and text[0] == text[-1] == '"')
    return f'"{text}"' if takes_away else text
