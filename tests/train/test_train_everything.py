"""``make train``: a stop loses nothing, and a small run replaces nothing shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorsill_train.publish import everything
from doorsill_train.shipped import MODELS


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What would have been run; a module named broken fails."""
    seen: list[tuple] = []

    def run(module: str, *arguments: object) -> None:
        seen.append((module, *arguments))
        if module == "broken":
            raise RuntimeError("killed")

    monkeypatch.setattr(everything.smoke, "run", run)
    return seen


def test_what_has_ended_is_not_run_again(runs: list[tuple], tmp_path: Path) -> None:
    for _ in range(2):
        everything.Road(tmp_path).run("worlds", "film.worlds", "--worlds", 3)
    assert runs == [("film.worlds", "--worlds", 3)]


def test_other_arguments_run_it_again(runs: list[tuple], tmp_path: Path) -> None:
    for worlds in (3, 4):
        everything.Road(tmp_path).run("worlds", "film.worlds", "--worlds", worlds)
    assert [arguments[-1] for arguments in runs] == [3, 4]


def test_what_was_stopped_is_run_again(runs: list[tuple], tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError):
            everything.Road(tmp_path).run("worlds", "broken")
    assert len(runs) == 2


def test_a_small_run_has_folders_of_its_own(tmp_path: Path) -> None:
    work, out = everything.Scale(0.01).folders(tmp_path, None)
    assert work != tmp_path
    assert tmp_path in work.parents
    assert work in out.parents
    assert everything.Scale(0.01).of(200, 30) == 30


def test_a_small_run_does_not_write_over_what_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="does not write over"):
        everything.Scale(0.5).folders(tmp_path, MODELS / "eval" / "..")


def test_a_whole_run_makes_what_is_shipped(tmp_path: Path) -> None:
    assert everything.Scale(1.0).folders(tmp_path, None) == (tmp_path, MODELS)
    assert everything.Scale(1.0).of(200, 30) == 200


@pytest.mark.parametrize("name", ["detector", "attributes"])
def test_the_version_that_is_made_is_the_shipped_one(name: str) -> None:
    options = {"detector": everything.DETECTOR, "attributes": everything.ATTRIBUTES}
    manifest = (MODELS / f"{name}.toml").read_text()
    version = options[name][options[name].index("--version") + 1]
    assert f'\nversion = "{version}"\n' in manifest


@pytest.mark.parametrize("real", [True, False])
def test_what_is_rendered_shows_photographs_unless_it_is_to_be_plain(
    runs: list[tuple], tmp_path: Path, real: bool
) -> None:
    road, scale = everything.Road(tmp_path / "done"), everything.Scale(0.01)
    everything.detector(road, scale, tmp_path, tmp_path, None, 0.0, real)
    films = [run for run in runs if run[0].startswith("film.")]
    assert len(films) == 3
    assert all(("--photographs" in film) == real for film in films)
    assert (runs[0][0] == "publish.photographs") == real


@pytest.mark.parametrize("real", [True, False])
def test_a_short_run_goes_on_from_the_shipped_file(
    runs: list[tuple], tmp_path: Path, real: bool
) -> None:
    file = MODELS / "detector.tflite"
    road, scale = everything.Road(tmp_path / "done"), everything.Scale(1.0)
    everything.onward(road, scale, tmp_path, tmp_path, file, real)
    learned = [run[0] for run in runs if run[0].startswith("learn.")]
    assert learned == ["learn.detector", "learn.mean"]
    ends = runs[-1][1:3]
    options = {
        run[0]: dict(zip(run[1::2], run[2::2], strict=True)) for run in runs[:-1]
    }
    assert options["publish.recover"]["--file"] == file
    start = options["publish.recover"]["--out"]
    assert options["learn.detector"]["--start"] == start
    assert ends == (start, options["learn.detector"]["--out"] / "last.weights.h5")
    assert ("publish.photographs" in options) == real


def test_a_short_run_writes_over_nothing_shipped(
    runs: list[tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ["--data", tmp_path, "--work", tmp_path, "--onward", "x.tflite"]
    monkeypatch.setattr("sys.argv", ["everything", *map(str, told)])
    everything.main()
    written = [run for run in runs if run[0].startswith(("publish.publish", "judge."))]
    assert len(written) == 2
    assert all(MODELS not in Path(str(a)).parents for run in written for a in run)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_share_of_the_scenes_is_path_traced_if_asked_for(
    runs: list[tuple], tmp_path: Path, share: float
) -> None:
    road, scale = everything.Road(tmp_path / "done"), everything.Scale(0.01)
    everything.detector(road, scale, tmp_path, tmp_path, None, share)
    renders = [run for run in runs if run[0] == "film.worlds"]
    assert len(renders) == 2  # for the first run and for the last
    for render in renders:
        options = dict(zip(render[1::2], render[2::2], strict=True))
        assert options["--scenes"] == scale.of(200, 30)
        assert options.get("--cycles", 0.0) == share
    assert renders[1][-1] > renders[0][-1]  # worlds, even in miniature
