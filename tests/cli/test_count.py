"""``doorsill count``: real clips through the real models, and bad input."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from children import started
from limits import END_S, LONG, LONG_S, PROGRAM_S
from places import SHARED
from terminal import DRAWS, drawn

from doorsill.cli import main
from doorsill.commandline.options import line_argument
from doorsill.drivers.camera.clip import STREET, street_truth
from doorsill.models.manifest import shipped

ONE_BY_ONE = SHARED / "clips" / "one-by-one-person-detection.mp4"
CARS = SHARED / "clips" / "car-detection.mp4"
PEER = SHARED / "models" / "ssd_mobilenet_v1_coco_uint8.tflite"
LINE = "0.72,0,0.72,1"
STREET_LINE = "0.022,0.659,0.978,0.659"
FIELD = SHARED / "field-cases"
CASES = json.loads((FIELD / "expected.json").read_text()) if FIELD.exists() else []


def count(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``doorsill count``, in this process: how it ends and what it says."""
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        code = main.run(["count", *arguments])
    return subprocess.CompletedProcess(
        arguments, code, said.getvalue(), errors.getvalue()
    )


def counted(*arguments: str) -> dict[str, Any]:
    return _document(count(*arguments, "--json"))


def counted_apart(*arguments: str) -> dict[str, Any]:
    """In a process of its own."""
    command = [sys.executable, "-m", "doorsill", "count", *arguments, "--json"]
    return _document(
        subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=LONG_S
        )
    )


def _document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def need(path: Path) -> str:
    if not path.exists():
        pytest.skip(f"{path.name} is not in the shared data")
    return str(path)


@pytest.mark.skipif(not CASES, reason="the field's clips are not in the shared data")
@pytest.mark.parametrize("case", CASES, ids=[Path(e["file"]).name for e in CASES])
def test_each_clip_from_the_field_is_counted_right(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = FIELD / case["file"]
    monkeypatch.chdir(path.parent)  # one has a name that is taken for a protocol
    (line,) = counted(path.name, "--line", case["line"])["lines"]
    assert line == {"in": case["in"], "out": case["out"]}


@pytest.mark.parametrize(
    ("model", "seconds", "people", "frames"),
    [
        pytest.param("detector", "200", 6, 1394, id="ours"),
        pytest.param(str(PEER), "25", 1, 251, id="the peer SSD, the first of them"),
        pytest.param(
            str(PEER),
            "200",
            6,
            1394,
            id="the peer SSD",
            marks=pytest.mark.skipif(not LONG, reason="20 seconds: make long"),
        ),
    ],
)
@pytest.mark.timeout(300)
def test_six_people_leave_one_by_one_to_the_right(
    model: str, seconds: str, people: int, frames: int
) -> None:
    """The line the other way round swaps in and out."""
    need(PEER)
    lines = (f"--line={LINE}", "--line=0.72,1,0.72,0")
    found = counted(
        need(ONE_BY_ONE), *lines, f"--seconds={seconds}", f"--model={model}"
    )
    assert found["lines"] == [{"in": 0, "out": people}, {"in": people, "out": 0}]
    assert found["frames"] == frames


def test_cars_are_nobody() -> None:
    lines = ("0.5,0,0.5,1", "0,0.5,1,0.5", "0,0.8,1,0.2")
    found = counted(need(CARS), *(f"--line={line}" for line in lines))
    assert found["lines"] == [{"in": 0, "out": 0}] * 3


def test_the_street_is_counted_as_its_truth_says() -> None:
    truth = street_truth()
    line = ",".join(f"{each:g}" for each in truth["line"])
    found, wrong = counted(str(STREET), "--line", line), 0
    for direction in ("in", "out"):
        true = sum(each["direction"] == direction for each in truth["crossings"])
        wrong += abs(found["lines"][0][direction] - true)
    assert wrong <= 1  # of 39


def test_json_says_where_the_time_went() -> None:
    found = counted_apart(str(STREET), "--line", "0,0.5,1,0.5", "--seconds", "4")
    assert 45 <= found["frames"] <= 55
    assert found["fps"] > 0
    assert found["stages_ms"]["invoke"] > 0
    assert set(found["stages_ms"]) >= {"capture", "invoke", "track", "decode"}


def test_the_table_is_for_people() -> None:
    done = count(str(STREET), "--line", "0,0.5,1,0.5", "--seconds", "3")
    assert done.returncode == 0
    for word in ("0,0.5 → 1,0.5", "in", "out", "invoke", "frames/s"):
        assert word in done.stdout


def test_the_plot_has_the_shape_of_the_video_and_none_of_its_pixels(
    tmp_path: Path,
) -> None:
    out = tmp_path / "tracks.png"
    arguments = (str(STREET), "--line", "0,0.6,1,0.6", "--seconds", "10")
    counted(*arguments, "--save-plot", str(out))
    with av.open(str(out)) as container:
        drawn = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert drawn.shape == (720, 960, 3)
    assert 0.8 < np.mean(drawn == 255) < 0.999


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("0,0,1", "must be X0,Y0,X1,Y1", id="three numbers"),
        pytest.param("a,b,c,d", "must be X0,Y0,X1,Y1", id="no numbers"),
        pytest.param("0,0,1.2,1", "lies outside the picture", id="outside"),
        pytest.param("-0.1,0,1,1", "lies outside the picture", id="negative"),
        pytest.param("nan,0,1,1", "lies outside the picture", id="not a number"),
        pytest.param("0.5,0.5,0.5,0.5", "has a stretch of no length", id="no length"),
    ],
)
def test_a_line_that_is_none_gets_a_sentence(text: str, sentence: str) -> None:
    done = count(str(STREET), f"--line={text}")
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_poly_line_has_as_many_points_as_are_given() -> None:
    assert line_argument("0,0,0.5,0.5,1,0") == ((0.0, 0.0), (0.5, 0.5), (1.0, 0.0))


@pytest.mark.parametrize(
    ("source", "extra", "code", "sentence"),
    [
        pytest.param("nope.mp4", [], 2, "does not exist", id="no such file"),
        pytest.param(".", [], 2, "is not a file", id="a folder"),
        pytest.param("empty.mp4", [], 4, "is empty: 0 bytes", id="zero length"),
        pytest.param("text.mp4", [], 4, "text.mp4", id="no video"),
        pytest.param("cut.mp4", [], 4, "cut.mp4", id="truncated"),
        pytest.param("street", ["--model", "nope"], 2, "no model named", id="model"),
        pytest.param("street", ["--model", "m.tflite"], 2, "m.tflite", id="no model"),
        pytest.param("street", ["--model", "bad.tflite"], 2, "bad.tflite", id="junk"),
        pytest.param(
            "street",
            ["--save-plot", "a.jpg"],
            2,
            "only .svg and .png",
            id="a plot as JPEG",
        ),
        pytest.param(
            "street", ["--threads", "0"], 2, "below the minimum of 1", id="no thread"
        ),
        pytest.param(
            "street", ["--threads", "99"], 2, "above the maximum of 64", id="threads"
        ),
        pytest.param(
            "street", ["--seconds", "-1"], 2, "seconds above 0", id="negative time"
        ),
        pytest.param(
            "street", ["--seconds", "nan"], 2, "seconds above 0", id="no time"
        ),
        pytest.param(
            "street", ["--model", "attributes"], 2, "does not find them", id="no finder"
        ),
    ],
)
def test_bad_input_gets_a_sentence(
    tmp_path: Path, source: str, extra: list[str], code: int, sentence: str
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    (tmp_path / "cut.mp4").write_bytes(STREET.read_bytes()[:200_000])
    (tmp_path / "bad.tflite").write_bytes(b"junkTFL3" + b"\0" * 4000)
    path = str(STREET) if source == "street" else str(tmp_path / source)
    if extra[:1] == ["--model"] and extra[1] == "bad.tflite":
        extra = ["--model", str(tmp_path / "bad.tflite")]
    done = count(path, "--line", LINE, *extra)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert sentence in done.stderr


def test_damage_ends_with_what_was_counted_until_then(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(STREET), "-c", "copy"]
    command += ["-movflags", "faststart", str(whole)]
    subprocess.run(command, check=True, timeout=PROGRAM_S)
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 3])
    done = count(str(tmp_path / "cut.mp4"), "--line", STREET_LINE, "--json")
    assert done.returncode == 4
    found = json.loads(done.stdout)
    assert found["stopped"] in done.stderr
    assert 10 < found["counted_s"] < found["length_s"]
    part = counted(
        str(STREET), "--line", STREET_LINE, f"--seconds={found['counted_s']}"
    )
    assert (part["lines"], part["frames"]) == (found["lines"], found["frames"])


def test_ctrl_c_ends_with_what_was_counted_until_then(tmp_path: Path) -> None:
    long = tmp_path / "long.mp4"  # whatever else the machine does, it is not over yet
    again = ["ffmpeg", "-v", "error", "-stream_loop", "9", "-i", str(STREET)]
    subprocess.run([*again, "-c", "copy", str(long)], check=True, timeout=PROGRAM_S)
    command = [sys.executable, "-m", "doorsill", "count", str(long), "--json"]
    ours, theirs = pty.openpty()
    with started(
        [*command, "--line", STREET_LINE],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=DRAWS,
    ) as child:
        os.close(theirs)
        shown = b""
        while b" out " not in shown:  # the progress bar: some were counted
            assert select.select([ours], [], [], END_S)[0], shown
            shown += os.read(ours, 4096)
        child.send_signal(signal.SIGINT)
        found = json.loads(child.communicate(timeout=END_S)[0])
        shown += drawn(ours)
    os.close(ours)
    assert child.returncode == 130
    assert found["stopped"].startswith("interrupted; what is counted here is the first")
    assert 0 < found["frames"] < 7750 and b"Traceback" not in shown


def test_several_recordings_have_one_total(tmp_path: Path) -> None:
    shutil.copy(STREET, tmp_path / "again.mp4")
    files = (str(STREET), str(tmp_path / "again.mp4"))
    options = ("--line", STREET_LINE, "--seconds", "10")
    one, both = counted(files[0], *options), counted(*files, *options)
    assert [each["lines"] for each in both["files"]] == [one["lines"]] * 2
    assert both["lines"] == [{k: 2 * v for k, v in one["lines"][0].items()}]
    assert [each["source"] for each in both["files"]] == list(files)


def test_json_says_what_was_counted_where_and_by_which_model() -> None:
    found = counted(str(STREET), "--line", STREET_LINE, "--seconds", "8")
    assert found["source"] == str(STREET)
    assert found["length_s"] == 62.0 and 7.9 < found["counted_s"] <= 8.0
    assert found["model"]["sha256"] == shipped("detector").sha256
    assert found["geometry"][0]["points"] == [[0.022, 0.659], [0.978, 0.659]]
    assert found["people"] >= 3
    true = [each for each in street_truth()["crossings"] if each["t"] < 7.5]
    for crossing, truth in zip(found["crossings"], true, strict=True):
        assert crossing["direction"] == truth["direction"]
        assert crossing["seconds"] == pytest.approx(truth["t"], abs=1.0)


def test_the_table_of_crossings_has_their_times(tmp_path: Path) -> None:
    out = tmp_path / "crossings.csv"
    options = ("--line", STREET_LINE, "--seconds", "8", "--csv", str(out))
    found = counted(str(STREET), *options)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [(float(row["seconds"]), row["direction"]) for row in rows] == [
        (each["seconds"], each["direction"]) for each in found["crossings"]
    ]


POLICY = """
format = "doorsill-policy/1"
version = 1
site = "porto-1"
purpose = "count visitors per hour"
controller = "Example Stores, 1 High Street, Porto"
timezone = "UTC"
attributes = false
k = 10
epsilon_per_day = 1.0
{more}
[[lines]]
id = "door"
points = [[0.022, 0.659], [0.978, 0.659]]
"""


@pytest.mark.parametrize(
    ("more", "options", "people", "closed"),
    [
        pytest.param("", (), True, False, id="its line"),
        pytest.param(
            '[[zones]]\nid = "staff"\nkind = "exclude"\n'
            "polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]",
            (),
            False,
            False,
            id="a zone in which nobody counts",
        ),
        pytest.param(
            '[[hours]]\ndays = ["mon"]\nopens = "09:00"\ncloses = "20:00"',
            ("--starts", "2026-11-23T08:59:59+00:00"),
            True,
            True,
            id="opens one second later",
        ),
        pytest.param(
            '[[hours]]\ndays = ["mon"]\nopens = "09:00"\ncloses = "20:00"',
            ("--starts", "2026-11-23T21:00:00+00:00"),
            False,
            True,
            id="closed",
        ),
    ],
)
def test_a_policy_counts_as_the_device_would(
    more: str, options: tuple[str, ...], people: bool, closed: bool, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text(POLICY.format(more=more))
    policy = ("--policy", str(tmp_path / "policy.toml"))
    found = counted(str(STREET), *policy, *options, "--seconds", "8")
    assert found["geometry"][0]["id"] == "door"
    assert (sum(found["lines"][0].values()) > 0) == people
    assert (found["closed"] > 0) == closed


HOURS = '[[hours]]\ndays = ["mon"]\nopens = "09:00"\ncloses = "20:00"'


def test_hours_that_cannot_be_heeded_are_said_to_be_not(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.format(more=HOURS))
    options = ("--policy", str(policy), "--seconds", "1")
    found = counted(str(STREET), *options)
    assert found["closed"] == 0 and "give --starts" in found["remarks"][0]
    assert "the opening hours of the policy are not heeded" in count(
        str(STREET), *options
    ).stdout.replace("\n", " ")
    starts = ("--starts", "2026-11-23T09:00+00:00")
    heeded = counted(str(STREET), *options, *starts)
    assert not any("--starts" in each for each in heeded["remarks"])
    both = count(str(STREET), str(STREET), *options, *starts)
    assert both.returncode == 2 and "--starts is of one recording" in both.stderr


@pytest.mark.parametrize(
    ("stdout", "environment", "code"),
    [
        pytest.param("/dev/full", {}, 2, id="a full disk"),
        pytest.param("file", {"PYTHONIOENCODING": "latin-1"}, 0, id="latin-1"),
        pytest.param("file", {"PYTHONIOENCODING": "ascii"}, 0, id="ASCII"),
    ],
)
def test_an_output_that_fails_never_costs_the_result(
    stdout: str, environment: dict[str, str], code: int, tmp_path: Path
) -> None:
    path = tmp_path / "out" if stdout == "file" else Path(stdout)
    command = [sys.executable, "-m", "doorsill", "count", str(STREET)]
    with path.open("wb") as out:
        done = subprocess.run(
            [*command, "--line", STREET_LINE, "--seconds", "8"],
            stdout=out,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            check=False,
            timeout=PROGRAM_S,
        )
    assert done.returncode == code and b"Traceback" not in done.stderr
    shown = path.read_bytes() if stdout == "file" else done.stderr
    assert b"0.659" in shown or b"line 1: in 1, out 2" in shown


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        pytest.param(["--save-plot", "/no/such/x.svg"], "cannot write", id="plot"),
        pytest.param(["--csv", "/no/such/x.csv"], "cannot write", id="table"),
        pytest.param(["--policy", "nope.toml"], "nope.toml", id="no policy"),
        pytest.param(["--starts", "today"], "a time with its offset", id="no time"),
        pytest.param(["--frame-rate", "0"], "0.5 to 480 frames", id="no rate"),
    ],
)
def test_what_is_wrong_is_said_before_the_work(
    extra: list[str], sentence: str, tmp_path: Path
) -> None:
    line = [] if extra[0] == "--policy" else ["--line", LINE]
    done = count(str(STREET), *line, *extra)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr and "Traceback" not in done.stderr


def test_a_raw_stream_that_does_not_say_its_rate_is_asked_for_it(
    tmp_path: Path,
) -> None:
    raw = tmp_path / "door.mjpeg"
    command = ["ffmpeg", "-v", "error", "-i", str(STREET), "-t", "2", "-f", "mjpeg"]
    subprocess.run([*command, str(raw)], check=True, timeout=PROGRAM_S)
    done = count(str(raw), "--line", LINE)
    assert done.returncode == 2 and "`--frame-rate 12.5`" in done.stderr
    found = counted(str(raw), "--line", LINE, "--frame-rate", "12.5")
    assert found["counted_s"] == pytest.approx((found["frames"] - 1) / 12.5, abs=0.01)


def test_in_a_terminal_it_shows_how_far_it_is_and_what_it_counted() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "doorsill", "count", str(STREET), "--line"]
    with started(
        [*command, "0,0.5,1,0.5", "--seconds", "5", "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=DRAWS,
    ) as child:
        os.close(theirs)
        shown = drawn(ours)
        assert json.loads(child.communicate(timeout=END_S)[0])["frames"] > 0
    os.close(ours)
    assert child.returncode == 0, shown
    assert b"counting" in shown and b" %" in shown and b"in 0 out 0" in shown
