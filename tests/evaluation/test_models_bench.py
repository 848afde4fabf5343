"""Two detectors on one recording: each sees every picture, in turn, and is counted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import foreign
import models_bent as bent
import pytest
from limits import PROGRAM_S

from doorsill.cli import main
from doorsill.errors import ConfigError
from doorsill.evaluation import compare
from doorsill.vision.detect.named import model_named

CLIP = foreign.CLIP
LINE = ["--line", "0.72,0,0.72,1"]
START, FRAMES = 165, 40
pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="needs ../shared/data")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of the clip in which the first of six walks through."""
    path = tmp_path_factory.mktemp("bench") / "short.mp4"
    end = f"end_frame={START + FRAMES}"
    wanted = f"trim=start_frame={START}:{end},setpts=PTS-STARTPTS,scale=320:-2"
    options = ["-v", "error", "-i", str(CLIP), "-vf", wanted, "-q:v", "2", str(path)]
    subprocess.run(["ffmpeg", *options], check=True, timeout=PROGRAM_S)
    return path


@pytest.fixture(scope="module")
def frames(short: Path) -> int:
    """How many FFmpeg itself shows of it: some of its versions cut the last one off."""
    asked = ["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames"]
    command = ["ffprobe", *asked, "-of", "csv=p=0", str(short)]
    said = subprocess.run(
        command, check=True, capture_output=True, timeout=PROGRAM_S
    ).stdout
    assert FRAMES - 1 <= int(said) <= FRAMES
    return int(said)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "a-detector-with-a-name-that-is-long-indeed.tflite"
    path.write_bytes(bent.raw(foreign.ssd()))
    return path


def bench(short: Path, *arguments: str) -> int:
    return main.run(["models", "bench", *arguments, "--on", str(short)])


def test_two_models_are_compared_in_one_table(short, other, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert bench(short, "detector", str(other), *LINE) == 0
    table = capsys.readouterr().out
    for words in ("detector", other.name, "ms a picture", "people followed"):
        assert words in table
    rows = [line for line in table.splitlines() if "in and out" in line]
    assert len(rows) == 1 and rows[0].count(" and ") == 3


def test_the_same_as_json_counts_as_count_does(short, frames, other, capsys):
    assert bench(short, "detector", str(other), *LINE, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["models"]
    for row, model in zip(rows, ("detector", str(other)), strict=True):
        assert row["pictures"] == frames and row["pictures_with_people"] > 0
        assert 0 < row["ms_median"] <= row["ms_p95"]
        count = ["count", str(short), *LINE, "--every-frame", "--json"]
        assert main.run([*count, "--model", model]) == 0
        counted = json.loads(capsys.readouterr().out)
        assert row["lines"] == counted["lines"] and row["people"] == counted["people"]


def test_labels_say_how_many_of_those_who_are_there_are_found(short, capsys, tmp_path):
    one = {"heads": [[0.3, 0.3, 0.4, 0.5]], "people": [[0, 0, 0.01, 0.01]]}
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"clips": {short.name: {"0": one, "9": one}}}))
    options = ["--labels", str(labels), "--json"]
    assert bench(short, "detector", *options) == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert row["heads"]["hits"] + row["heads"]["missed"] == 2
    assert row["persons"] == {"hits": 0, "false": row["persons"]["false"], "missed": 2}


def test_labels_beside_the_recording_are_taken(short, capsys):
    labels = short.parent / "labels.json"
    try:
        labels.write_text(json.dumps({"clips": {"another.mp4": {}}}))
        assert bench(short, "detector", "--json") == 0
        assert "heads" not in json.loads(capsys.readouterr().out)["models"][0]
        truth = {"0": {"heads": [], "people": []}}
        labels.write_text(json.dumps({"clips": {short.name: truth}}))
        assert bench(short, "detector") == 0
        assert "heads found" in capsys.readouterr().out
    finally:
        labels.unlink()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["detector", "--json"], "need a recording: --on", id="no clip"),
        pytest.param(
            ["attributes", "--on", str(CLIP)],
            "attributes is not a detector",
            id="no detector",
        ),
        pytest.param(
            ["detector", "--on", "none.mp4"], "none.mp4", id="no such recording"
        ),
        pytest.param(
            ["detector", "--on", str(CLIP), "--threads", "1,2"],
            "one number",
            id="two numbers of threads",
        ),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(arguments, sentence, capsys):
    assert main.run(["models", "bench", *arguments]) != 0
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_a_raw_recording_is_compared_once_its_rate_is_known(short, tmp_path, capsys):
    raw = tmp_path / "short.mjpeg"
    few = ["-frames:v", "6", "-f", "mjpeg", str(raw)]
    command = ["ffmpeg", "-v", "error", "-i", str(short), *few]
    subprocess.run(command, check=True, timeout=PROGRAM_S)
    bench = ["models", "bench", "detector", "--on", str(raw)]
    assert main.run(bench) == 2
    assert "--frame-rate 12.5" in capsys.readouterr().err
    assert main.run([*bench, "--frame-rate", "10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["pictures"] == 6


def test_labels_of_other_clips_are_named(short):
    with pytest.raises(ConfigError, match=r"no clip short\.mp4; they hold: a\.mp4"):
        compare.compare(
            [model_named("detector")], str(short), [], {"a.mp4": {}}, lambda *_: None
        )


def test_nobody_goes_first_every_time(short, frames, monkeypatch):
    order = []
    step = compare.Compared.step

    def watched(self):
        order.append(self.model.title)
        return step(self)

    monkeypatch.setattr(compare.Compared, "step", watched)
    models = [model_named("detector"), model_named(str(foreign.SSD))]
    compare.compare(models, str(short), [], None, lambda *_: None)
    ours, other = models[0].title, models[1].title
    assert order[:4] == [ours, other, other, ours]
    assert order.count(ours) == order.count(other) == frames + 1
