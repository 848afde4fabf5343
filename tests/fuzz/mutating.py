"""Changes bytes, and JSON by its structure; everything follows from a seed."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

ODD_BYTES = (
    b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"1e400", b"-0", b"NaN",
    b"null", b"true", b"[]", b"{}", b'""', b"9" * 400, b"\\ud800", b"\xed\xa0\x80",
    b"1.5", b"-1", b"[[[[", b"\x80", b"\x81", b"\x82\xff\xff", b"\x30\x80", b"\n",
    b"\xe2\x80\xa8", b"\x9b", b"=", b"\x1b[2J",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 - 1, -(2**53 - 1), 1.5, 1e300, -1e-9, "",
    "x", "a" * 5000, "\u2028", "\x00", "é", "\ud800", [], {}, [[]], {"x": 1}, [1, 2],
    "9" * 40, "00" * 32, [None], ["a", "a"], {"": ""}, 1e21, 10**400,
)  # fmt: skip
LENGTHS = (1, 1, 2, 4, 8, 16, 64)
ROUNDS = (1, 1, 1, 2, 3, 6)


def mutated(seed: bytes, dice: random.Random) -> bytes:
    """``seed`` with a few changes; where it is JSON, half of the time of a value."""
    if dice.random() < 0.5:
        try:
            return json.dumps(_value(json.loads(seed), dice)).encode()
        except (ValueError, RecursionError):
            pass
    return _bytes(seed, dice)


def _bytes(seed: bytes, dice: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(dice.choice(ROUNDS)):
        at, other = (dice.randrange(len(data) + 1) for _ in range(2))
        length = dice.choice(LENGTHS)
        match dice.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(data):
                data[at] = dice.randrange(256)
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = dice.choice(ODD_BYTES)
            case 4:
                data[at : at + length] = data[other : other + length]
            case 5:
                data[at : at + length] = dice.choice(ODD_BYTES)
            case 6 if dice.random() < 0.3:
                del data[at:]
    return bytes(data)


def _value(value: Any, dice: random.Random) -> Any:
    """The same with one to three places somewhere in it changed."""
    value = copy.deepcopy(value)
    for _ in range(dice.choice((1, 1, 2, 3))):
        path = dice.choice(list(_paths(value)))
        if not path:
            return dice.choice(ODD_VALUES) if dice.random() < 0.1 else value
        table = value
        for step in path[:-1]:
            table = table[step]
        match dice.randrange(4):
            case 0:
                del table[path[-1]]
            case 1 if isinstance(table, dict):
                table[dice.choice([*map(str, table), "zz", ""])] = _odd(dice)
            case 1:
                table.append(_odd(dice))
            case _:
                table[path[-1]] = _odd(dice)
    return value


def _odd(dice: random.Random) -> Any:
    return copy.deepcopy(dice.choice(ODD_VALUES))


def _paths(value: Any) -> list[list[Any]]:
    found: list[list[Any]] = [[]]
    steps: Any = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    for step, inner in steps:
        found += [[step, *path] for path in _paths(inner)]
    return found
