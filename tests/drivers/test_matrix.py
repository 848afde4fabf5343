"""A few of ``make matrix``: our picture is FFmpeg's, our count that of its frames."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from matrix import compare as comparing
from matrix.combinations import PROPERTIES, Combination, all_pairs, possible
from matrix.compare import compare

from doorsill.drivers.camera import decoding, upright
from doorsill.drivers.camera.decoding import Source

PLAIN = Combination(
    container="mp4",
    codec="h264",
    rate=Fraction(25, 2),
    turn=0,
    mirror="no",
    aspect="square",
    fields="progressive",
    span="tv",
    depth="yuv420p",
    start="zero",
    end="whole",
)


NO_FLAG = SimpleNamespace(value=0)  # that no container has


def changed(**changes: object) -> Combination:
    return Combination(**{**asdict(PLAIN), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "it",
    [
        pytest.param(changed(), id="plain"),
        pytest.param(
            changed(container="raw", rate=Fraction(10, 3)), id="no time stamps"
        ),
        pytest.param(
            changed(turn=90, mirror="left-right", aspect="in the container"),
            id="turned, mirrored and squeezed",
        ),
        pytest.param(
            changed(container="ts", fields="top first", start="between key frames"),
            id="two fields, begins anywhere",
        ),
        pytest.param(
            changed(container="mov", span="pc", end="last picture held"),
            id="full range, the last picture is held",
        ),
    ],
)
def test_a_recording_counts_as_the_picture_that_a_player_shows(
    it: Combination, tmp_path: Path
) -> None:
    assert possible(it)
    result = compare(it, tmp_path)
    assert result.wrong == ""
    assert result.frames > 20
    assert sum(result.ours) >= 2  # people cross in it


@pytest.mark.parametrize(
    ("it", "blinded"),
    [
        pytest.param(
            changed(mirror="left-right"),
            (upright, "orientation_of", lambda matrix: upright.AS_STORED),
            id="the display matrix",
        ),
        pytest.param(
            changed(aspect="in the container"),
            (Source, "pixel_aspect", 1.0),
            id="the pixel aspect",
        ),
        pytest.param(
            changed(container="raw", rate=Fraction(10, 3)),
            (decoding, "Flags", SimpleNamespace(no_timestamps=NO_FLAG)),
            id="the declared rate",
        ),
    ],
)
def test_a_driver_that_does_not_look_is_found_out(
    it: Combination,
    blinded: tuple[object, str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(*blinded)
    assert compare(it, tmp_path).wrong


def test_the_matrix_holds_all_pairs() -> None:
    chosen = all_pairs(208)
    assert len(set(chosen)) == len(chosen) >= 200
    assert all(possible(each) for each in chosen)
    for name, values in PROPERTIES.items():
        assert {getattr(each, name) for each in chosen} == set(values)


def test_what_it_compares_is_not_the_same_picture_twice(tmp_path: Path) -> None:
    one = comparing.film(changed(), tmp_path)
    mirrored = changed(mirror="left-right")
    (tmp_path / "b").mkdir()
    other = comparing.film(mirrored, tmp_path / "b")
    size = (96, 72)
    first = comparing.shown(changed(), one, size)[0].astype(int)
    second = comparing.shown(mirrored, other, size)[0].astype(int)
    assert abs(first - second).mean() < 3  # FFmpeg itself turned it back
