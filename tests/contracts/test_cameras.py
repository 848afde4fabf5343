"""One contract for every camera that can run here, then what is special of each."""

import errno
import gc
import itertools
import logging
import os
import subprocess
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from camera_contract import CONTRACT, FIT, time_rises
from limits import PROGRAM_S
from recordings import RtspCamera, cut, cut_inside_frame, record, scene, spoil, turn

from doorsill.drivers.camera import clip, decoding, video
from doorsill.drivers.camera.camera import content_size
from doorsill.drivers.camera.decoding import Source
from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.camera.pace import FrameRate, SourceClock
from doorsill.drivers.camera.picamera import open_picamera
from doorsill.drivers.camera.picamera_fake import FakePi
from doorsill.drivers.camera.restart import GIVE_UP_AFTER, let_go, open_patiently
from doorsill.errors import CameraError, ConfigError
from doorsill.values import Frame

CLIPS = Path("../shared/data/clips")


def every_frame(camera):
    """All frames of a recording, each released before the next, as (time, pixels)."""
    frames = []
    while (frame := camera.read()) is not None:
        frames.append((frame.time, frame.pixels.copy()))
        frame.release()
    camera.close()
    return frames


def open_file(path, **options):
    return open_camera("video", str(path), FIT, live=False, **options)


KINDS = ["mp4", "gif", "live file", "rtsp", "Pi 5", "Pi 4", "street", "real"]


@pytest.fixture(params=KINDS)
def camera(request, tmp_path):
    """Each kind of camera, open, with at least 12 frames to give.

    A real one is named as for tests/hil: DOORSILL_CAMERA=picamera:0.
    """
    kind = request.param
    if kind == "real":
        if not (named := os.environ.get("DOORSILL_CAMERA")):
            pytest.skip("DOORSILL_CAMERA names no camera")
        driver, source = named.split(":", 1)
        opened = open_camera(driver, source, FIT, frame_rate=12.5)
        yield opened
        opened.close()
        return
    if kind in ("Pi 5", "Pi 4"):
        pi = FakePi(scene, "PISP" if kind == "Pi 5" else "VC4")
        opened = open_picamera("", FIT, library=pi.library())
        yield opened
        opened.close()
        return
    if kind == "street":
        if not clip.STREET.is_file():
            pytest.skip("the street's clip is not rendered yet")
        opened = open_camera("street", "loop", FIT)
        yield opened
        opened.close()
        return
    if kind == "rtsp":
        source = record(tmp_path / "door.ts")
        with RtspCamera(source) as server:
            opened = open_camera("video", server.url, FIT)
            yield opened
            opened.close()
        return
    path = record(tmp_path / ("door.gif" if kind == "gif" else "door.mp4"))
    opened = open_camera("video", str(path), FIT, live=kind == "live file")
    yield opened
    opened.close()


SIDE_BY_SIDE = [each for each in CONTRACT if each is not time_rises]


@pytest.mark.parametrize("holds", SIDE_BY_SIDE, ids=lambda each: each.__name__)
def test_every_camera_holds_to_the_contract(camera, holds):
    holds(camera)


@pytest.mark.alone
def test_time_rises(camera):
    time_rises(camera)


@pytest.mark.parametrize(
    "name",
    ["door.mp4", "door.mkv", "door.avi", "door.ts", "door.gif", "door.mov"],
)
def test_a_whole_recording_gives_every_frame_and_then_ends(tmp_path, name):
    path = record(tmp_path / name, frames=25)
    frames = every_frame(open_file(path))
    times = [when for when, _ in frames]
    assert times == pytest.approx(np.arange(25) / 10, abs=1e-3)
    for number in (0, 12, 24):
        truth, seen = scene(number, (320, 240)), frames[number][1]
        assert seen.shape == truth.shape
        error = np.abs(seen.astype(int) - truth.astype(int)).mean()
        assert error < 20, "the right picture, by and large"
        assert seen[10, 10, 0] > 200 and seen[10, 10, 1:].max() < 60, "R, G, B"


@pytest.mark.parametrize("name", ["door.mp4", "door.mkv", "door.gif"])
def test_a_recording_says_how_long_it_is(tmp_path, name):
    camera = open_file(record(tmp_path / name, frames=25))
    assert camera.duration == pytest.approx(2.5, abs=0.11)


def test_an_ended_recording_stays_ended(tmp_path):
    camera = open_file(record(tmp_path / "door.mp4", frames=3))
    reads = [camera.read() for _ in range(6)]
    assert [each is None for each in reads] == [False] * 3 + [True] * 3


def test_a_variable_frame_rate_is_honoured(tmp_path):
    stamps = (0, 40, 200, 240, 1000, 1500, 1533, 2600)
    path = record(tmp_path / "door.mp4", frames=8, stamps=stamps)
    times = [when for when, _ in every_frame(open_file(path))]
    assert times == pytest.approx([each / 1000 for each in stamps], abs=2e-3)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        pytest.param(None, 40, id="all"),
        pytest.param(60.0, 40, id="more than there are"),
        pytest.param(5.0, 20, id="every second"),
        pytest.param(4.0, 16, id="two of five"),
    ],
)
def test_frames_are_thinned_evenly(tmp_path, most, expected):
    path = record(tmp_path / "door.mp4", frames=40)
    times = [when for when, _ in every_frame(open_file(path, frame_rate=most))]
    assert len(times) == expected
    assert max(np.diff(times)) < 1 / (most or 10.0) + 0.11


@pytest.mark.parametrize(
    ("degrees", "shape", "corner"),
    [
        pytest.param(0, (240, 320), (0, 0), id="upright"),
        pytest.param(90, (256, 192), (0, -1), id="portrait"),
        pytest.param(180, (240, 320), (-1, -1), id="upside down"),
        pytest.param(270, (256, 192), (-1, 0), id="portrait, the other way"),
    ],
)
def test_a_turned_phone_gives_an_upright_picture(tmp_path, degrees, shape, corner):
    path = turn(record(tmp_path / "door.mp4", frames=3), degrees)
    _, pixels = every_frame(open_file(path))[0]
    assert pixels.shape[:2] == shape
    rows = pixels[:8] if corner[0] == 0 else pixels[-8:]
    patch = rows[:, :8] if corner[1] == 0 else rows[:, -8:]
    red, green, blue = patch.reshape(-1, 3).mean(0)
    assert red > 200 and max(green, blue) < 60, "the red corner lies where it belongs"


def test_4k_comes_at_the_models_size(tmp_path):
    path = record(tmp_path / "door.avi", frames=2, size=(3840, 2160))
    frames = every_frame(open_file(path))
    assert [pixels.shape for _, pixels in frames] == [(180, 320, 3)] * 2


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        pytest.param(
            "door.mp4", lambda p: cut(p, 0), r"door.mp4 is empty: 0 bytes", id="empty"
        ),
        pytest.param(
            "door.mp4", lambda p: cut(p, 0.6), r"cannot be opened", id="no index"
        ),
        pytest.param(
            "fast.mp4", lambda p: cut(p, 0.6),
            r"fast.mp4 is damaged after frame 2\d \(2\.\d s\): Invalid data",
            id="cut inside a frame",
        ),
        pytest.param(
            "door.mkv", lambda p: cut(p, 0.6),
            r"door.mkv is (cut short|damaged) after frame \d\d \(\d\.\d s\)",
            id="cut short, matroska",
        ),
        pytest.param(
            "door.ts", lambda p: cut_inside_frame(p, 0.6),
            r"door.ts is damaged after frame \d\d \(\d\.\d s\): an incomplete frame",
            id="cut inside a frame, transport stream",
        ),
        pytest.param(
            "door.gif", lambda p: cut(p, 0.6),
            r"door.gif is cut short after frame \d\d \(\d\.\d s\): no end mark",
            id="cut short, GIF",
        ),
        pytest.param(
            "door.avi", lambda p: cut(p, 0.6), r"door.avi is", id="cut short, AVI"
        ),
        pytest.param(
            "fast.mp4", lambda p: spoil(p, 0.5, 40_000),
            r"fast.mp4 is damaged after frame \d\d \(\d\.\d s\): ", id="noise inside",
        ),
        pytest.param(
            "door.mkv", lambda p: spoil(p, 0.5, 40_000),
            r"door.mkv is (cut short|damaged) after frame \d\d \(\d\.\d s\)",
            id="noise inside, matroska",
        ),
        pytest.param(
            "door.mp4", lambda p: p.write_text("<html>404</html>" * 99),
            r"door.mp4 cannot be opened: Invalid data", id="not a video",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("live", [False, True], ids=["fast", "live"])
def test_a_broken_recording_says_where_and_what(
    tmp_path, monkeypatch, name, damage, sentence, live
):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    movflags = "faststart" if name == "fast.mp4" else ""
    path = record(tmp_path / name, frames=50, movflags=movflags)
    damage(path)
    with pytest.raises(CameraError, match=sentence):
        every_frame(open_camera("video", str(path), FIT, live=live))


def test_a_busy_machine_overlooks_no_incomplete_frame(tmp_path):
    """A decoder with a thread for each frame did, once in seven under load."""
    path = cut_inside_frame(record(tmp_path / "door.ts", frames=50), 0.6)

    def said(_: int) -> str:
        with pytest.raises(CameraError) as caught:
            every_frame(open_file(path))
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(said, range(40))) == {said(0)}


def test_sound_without_pictures_is_no_camera(tmp_path):
    import av

    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 800), np.int16), layout="mono"
        )
        silence.sample_rate = 8000
        output.mux(stream.encode(silence))
    with pytest.raises(CameraError, match=r"sound.wav holds no video"):
        open_file(path)


def test_a_monstrous_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "LONGEST_SIDE", 300)
    with pytest.raises(CameraError, match=r"is 320x240; 1 to 300 pixels a side"):
        open_file(record(tmp_path / "door.mp4", frames=2))


@pytest.mark.parametrize(
    ("name", "source", "error", "sentence"),
    [
        pytest.param("video", "/no.mp4", ConfigError, "does not exist", id="absent"),
        pytest.param("video", "", ConfigError, "'' is not a file", id="empty"),
        pytest.param("video", "tests", ConfigError, "is not a file", id="a folder"),
        pytest.param("video", "ftp://x/y", ConfigError, "is not possible", id="ftp"),
        pytest.param("webcam", "", ConfigError, "is none of street", id="no driver"),
        pytest.param("street", "x", ConfigError, "none of loop, once", id="street"),
        pytest.param(
            "video",
            "/dev/video63",
            CameraError,
            r"^/dev/video63 cannot be opened: No such .*: no camera is attached there",
            id="V4L2",
        ),
        pytest.param(
            "video",
            "rtsp://u:secret@127.0.0.1:1/a?t=2",
            CameraError,
            r"^rtsp://127.0.0.1:1/a cannot be opened: Connection refused$",
            id="nobody answers, and the password stays out",
        ),
    ],
)
def test_a_source_that_cannot_be_is_one_sentence(name, source, error, sentence):
    with pytest.raises(error, match=sentence):
        open_camera(name, source, FIT)


def test_a_network_camera_that_hangs_up_is_an_error(tmp_path):
    source = record(tmp_path / "door.ts", frames=30)
    with RtspCamera(source) as server:
        camera = open_camera("video", server.url, FIT)
        with pytest.raises(CameraError, match=r"ended after frame \d\d "):
            every_frame(camera)
        camera.close()
    assert server.asked[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]


def test_a_network_camera_that_falls_silent_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "SILENCE_S", 0.5)
    source = record(tmp_path / "door.ts", frames=30)
    with RtspCamera(source, stall=True) as server:
        camera = open_camera("video", server.url, FIT)
        with pytest.raises(CameraError, match=r"stopped after .*: no answer in time"):
            every_frame(camera)
        camera.close()


class Clock:
    """A clock that only sleeping and working move on."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(video.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(video.time, "sleep", clock.sleep)
    return clock


def test_a_live_recording_keeps_the_pace_of_the_clock(tmp_path, clock):
    path = record(tmp_path / "door.mp4", frames=20)
    camera = open_camera("video", str(path), FIT, live=True)
    times = []
    while (frame := camera.read()) is not None:
        times.append(frame.time)
        assert frame.time == pytest.approx(clock.now)
        clock.sleep(0.03)  # work that is faster than the camera
    assert times == pytest.approx(100.0 + np.arange(20) / 10)


def test_a_slow_machine_leaves_late_frames_out_as_a_camera_would(tmp_path, clock):
    path = record(tmp_path / "door.mp4", frames=100)
    camera = open_camera("video", str(path), FIT, live=True)
    times = []
    while (frame := camera.read()) is not None:
        times.append(frame.time)
        clock.sleep(0.25)  # 2.5 frames
    assert 35 <= len(times) <= 50
    assert np.diff(times).min() > 0
    assert clock.now - times[-1] < 1.5, "it does not fall behind"
    assert np.diff(times).max() < 1.2, "and never is blind for long"


@pytest.mark.parametrize("live", [False, True], ids=["fast", "live"])
def test_the_street_goes_round_and_its_time_goes_on(tmp_path, monkeypatch, clock, live):
    monkeypatch.setattr(clip, "STREET", record(tmp_path / "street.mp4", frames=10))
    camera = open_camera("street", "", FIT, live=live)
    frames = [camera.read() for _ in range(35)]
    times = [frame.time for frame in frames]
    steps = np.full(34, 0.1)
    steps[[9, 19, 29]] = clip.SEAM_S
    assert np.diff(times) == pytest.approx(steps)
    assert (frames[0].pixels == frames[10].pixels).all()
    if live:
        assert times[-1] == pytest.approx(clock.now), "it keeps to our clock for ever"
    camera.close()


def test_the_street_can_be_shown_once(tmp_path, monkeypatch):
    monkeypatch.setattr(clip, "STREET", record(tmp_path / "street.mp4", frames=10))
    assert len(every_frame(open_camera("street", "once", FIT, live=False))) == 10


@pytest.mark.parametrize(
    ("picture", "fit", "size"),
    [
        pytest.param((1920, 1080), (320, 256), (320, 180), id="wide"),
        pytest.param((1080, 1920), (320, 256), (144, 256), id="portrait"),
        pytest.param((640, 512), (320, 256), (320, 256), id="exact"),
        pytest.param((160, 120), (320, 256), (320, 240), id="smaller than the model"),
        pytest.param((8000, 2), (320, 256), (320, 1), id="a line is at least 1 high"),
        pytest.param((300, 300), (300, 300), (300, 300), id="square"),
    ],
)
def test_the_size_keeps_the_aspect(picture, fit, size):
    assert content_size(picture, fit) == size


def test_the_source_clock_finds_the_smallest_delay():
    clock = SourceClock()
    arrivals = [
        (0.0, 10.3),
        (0.1, 10.2),
        (0.2, 10.3),
        (0.3, 11.4),
    ]  # 0.3, 0.1, 0.1, 1.1
    times = [clock.time(stamp, now) for stamp, now in arrivals]
    assert times == pytest.approx([10.3, 10.2, 10.3, 10.4], abs=5e-3)


def test_a_camera_whose_clock_is_slow_does_not_seem_late():
    clock = SourceClock()
    for second in range(0, 7200, 10):
        now = 50.0 + second
        taken = clock.time(second * (1 - 1e-4), now)  # 100 ppm
    assert now - taken < 0.05


def test_after_a_gap_the_frame_rate_begins_anew():
    rate = FrameRate(10.0)
    assert [rate.takes(t) for t in (0.0, 0.05, 0.1, 5.0, 5.02, 5.1)] == [
        True,
        False,
        True,
        True,
        False,
        True,
    ]


class Flaky:
    """Opens a fake Pi only after so many failures."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.pi = FakePi(scene)

    def __call__(self):
        self.pi.busy = self.failures > 0
        self.failures -= 1
        return open_picamera("", FIT, library=self.pi.library())


def test_a_camera_is_waited_for_longer_each_time_and_its_failures_counted(caplog):
    clock, flaky, failed = Clock(), Flaky(4), []
    with caplog.at_level(logging.INFO):
        camera = open_patiently(
            flaky,
            wait=clock.sleep,
            now=clock.monotonic,
            failed=lambda: failed.append(clock.now),
        )
    assert isinstance(camera.read(), Frame)
    assert failed == pytest.approx([100, 100.5, 101.5, 103.5])
    assert clock.now == pytest.approx(100 + 0.5 + 1 + 2 + 4)
    said = [record.getMessage() for record in caplog.records]
    assert sum("no camera: camera 0 cannot be opened" in line for line in said) == 1
    assert sum("is there after 4 failures" in line for line in said) == 1
    camera.close()
    assert flaky.pi.opened == flaky.pi.closed


def test_a_camera_that_does_not_come_ends_the_wait_for_it():
    """What a library knows of devices may be out of date: a new process looks again."""
    clock, failed = Clock(), []
    with pytest.raises(CameraError, match="another program uses it"):
        open_patiently(
            Flaky(99),
            wait=clock.sleep,
            now=clock.monotonic,
            failed=lambda: failed.append(1),
        )
    assert len(failed) == GIVE_UP_AFTER
    assert clock.now == pytest.approx(100 + 0.5 + 1 + 2 + 4 + 8)


@pytest.mark.parametrize("platform", ["PISP", "VC4"])
def test_of_a_camera_that_failed_nothing_is_held(platform):
    """Not by the error, nor by a cycle that waits for the collector: pixels are in it.

    The control is the camera that runs: it is held.
    """
    pi = FakePi(scene, platform, frames_left=3)
    gc.disable()
    try:
        camera = open_picamera("", FIT, library=pi.library())
        held = weakref.ref(camera)
        for _ in range(3):
            camera.read().release()
        assert held() is not None
        try:
            camera.read()
        except CameraError as error:
            kept = error
        let_go(kept)
        camera.close()
        del camera
        assert held() is None
    finally:
        gc.enable()


def test_while_a_camera_is_away_its_owner_gets_its_turn():
    clock, turns = Clock(), []

    def wait(seconds: float) -> None:
        turns.append(seconds)
        clock.sleep(seconds)

    open_patiently(Flaky(4), wait=wait, now=clock.monotonic).close()
    assert max(turns) <= 0.5
    assert sum(turns) == pytest.approx(0.5 + 1 + 2 + 4)


def test_waiting_ends_when_its_owner_says_so():
    answers = itertools.chain([True, True], itertools.repeat(False))
    with pytest.raises(CameraError, match="camera 0 cannot be opened"):
        open_patiently(Flaky(9), wait=lambda _: next(answers), now=lambda: 5.0)


@pytest.mark.parametrize(
    ("name", "frames", "seconds", "shape"),
    [
        ("car-detection.mp4", 377, 30.08, (180, 320)),
        ("store-aisle-detection.gif", 67, 4.4, (180, 320)),
        ("face-demographics-walking-and-pause.gif", 41, 3.33, (180, 320)),
    ],
)
def test_real_recordings(name, frames, seconds, shape):
    if not (CLIPS / name).exists():
        pytest.skip(f"{CLIPS / name} is not here")
    seen = every_frame(open_file(CLIPS / name))
    assert len(seen) == frames
    assert seen[-1][0] == pytest.approx(seconds, abs=0.01)
    assert seen[0][1].shape[:2] == shape


@pytest.mark.parametrize(
    ("number", "step"),
    [
        pytest.param(errno.EACCES, "let this user join the group video", id="rights"),
        pytest.param(errno.EBUSY, "another program uses this camera", id="in use"),
        pytest.param(errno.ENODEV, "plug it in again", id="unplugged"),
        pytest.param(errno.ENOTTY, "this is no camera", id="another device"),
    ],
)
def test_a_webcam_that_cannot_be_had_says_what_to_do(monkeypatch, number, step):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(decoding.av, "open", refuse)
    monkeypatch.setattr(decoding.av, "FFmpegError", OSError)
    sentence = f"^/dev/video0 cannot be opened: {os.strerror(number)}: .*{step}"
    with pytest.raises(CameraError, match=sentence):
        open_camera("video", "/dev/video0", FIT)


@pytest.mark.parametrize("first", ["160x90", "320x180"], ids=["sub", "main"])
def test_of_two_streams_the_larger_one_is_seen(first, tmp_path):
    """A recorder's main and sub stream in one file, in either order."""
    second = "320x180" if first == "160x90" else "160x90"
    path = tmp_path / "two.ts"
    given = [
        word
        for size, colour in ((first, "red"), (second, "red"))
        for word in ("-f", "lavfi", "-i", f"color={colour}:s={size}:r=10:d=1")
    ]
    made = ["-map", "0:v", "-map", "1:v", "-c:v", "mpeg2video", str(path)]
    command = ["ffmpeg", "-v", "error", *given, *made]
    subprocess.run(command, check=True, timeout=PROGRAM_S)
    source = Source(str(path), strict=True)
    try:
        assert source.stream.width == 320
    finally:
        source.close()
