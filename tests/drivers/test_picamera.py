"""The Pi's camera: what we ask of picamera2, and what becomes of its buffers."""

import contextlib
import gc
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from limits import PROGRAM_S

from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.camera.picamera import configuration_of, open_picamera
from doorsill.drivers.camera.picamera_fake import SPOILED, FakePi, to_yuv
from doorsill.drivers.camera.picamera_library import find_library, require_board
from doorsill.drivers.camera.yuv import YuvConverter
from doorsill.errors import CameraError, ConfigError

FIT = (320, 256)
BOARDS = [pytest.param("PISP", id="Pi 5"), pytest.param("VC4", id="Pi 4")]


def patches(number: int, size: tuple[int, int]) -> np.ndarray:
    """Another picture for each number, of 16-pixel patches in moderate colours."""
    width, height = size
    rng = np.random.default_rng(number)
    small = rng.integers(40, 216, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    return np.repeat(np.repeat(small, 16, 0), 16, 1)[:height, :width]


def opened(pi: FakePi, fit=FIT, rate=None):
    return open_picamera("", fit, frame_rate=rate, library=pi.library())


def without_driver(pi: FakePi):
    """The camera as the driver opens it, started, in our hands."""
    library = pi.library()
    camera = library.open(0)
    camera.configure(
        configuration_of(camera, (320, 240), 12.5, True, library.colour_space())
    )
    camera.start()
    return camera


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(
    ("sensor", "size"),
    [
        pytest.param((3280, 2464), (320, 240), id="4 to 3"),
        pytest.param((4608, 2592), (320, 180), id="16 to 9"),
        pytest.param((1456, 1088), (320, 238), id="odd height made even"),
        pytest.param((2464, 3280), (192, 256), id="turned: rows with padding"),
    ],
)
def test_pictures_arrive_as_the_sensor_saw_them(board, sensor, size):
    pi = FakePi(patches, board, sensor)
    camera = opened(pi)
    for number in range(6):
        frame = camera.read()
        seen = frame.pixels.astype(int)
        truth = patches(number, size).astype(int)
        assert seen.shape == (size[1], size[0], 3)
        # The round trip over YUV with its 8 bits costs up to 3 levels.
        assert np.abs(seen - truth).max() <= (0 if board == "PISP" else 3)
        frame.release()
    camera.close()


def test_a_pi_5_maps_and_a_pi_4_converts():
    pi = FakePi(patches, "PISP")
    frame = opened(pi).read()
    assert pi.configuration["lores"]["format"] == "BGR888", "R, G, B in memory"
    assert frame.pixels.strides == (1024, 3, 1), "padded rows: the ISP's own buffer"
    pi = FakePi(patches, "VC4")
    opened(pi).read()
    assert pi.configuration["lores"]["format"] == "YUV420"
    assert pi.out == 0, "converted, so the buffer went back at once"


@pytest.mark.parametrize("board", BOARDS)
def test_what_is_asked_of_the_pipeline(board):
    pi = FakePi(patches, board)
    opened(pi, rate=20.0)
    asked = pi.configuration
    assert asked["lores"]["size"] == (320, 240)
    assert asked["main"]["size"] == (640, 480)
    assert asked["queue"] is False
    assert asked["colour_space"] == "Smpte170m"
    assert asked["controls"]["FrameDurationLimits"] == (50_000, 50_000)
    assert asked["sensor"]["output_size"] == (1640, 1232), (
        "half of all, nothing cropped"
    )
    assert asked["raw"] is asked["display"] is asked["encode"] is None


def test_a_released_frame_is_rubbish_and_its_buffer_is_used_again():
    pi = FakePi(patches)
    camera = opened(pi)
    for _ in range(20):
        frame = camera.read()
        assert pi.out == 1
        pixels = frame.pixels
        frame.release()
        assert pi.out == 0
        assert (pixels == SPOILED).all()


def test_releasing_twice_or_late_takes_nothing_from_the_next_frame():
    pi = FakePi(patches)
    camera = opened(pi)
    first = camera.read()
    second = camera.read()
    assert pi.out == 1, "the one before was taken back"
    first.release()
    assert pi.out == 1
    assert (second.pixels == patches(1, (320, 240))).all()
    second.release()
    second.release()
    assert pi.out == 0


def test_the_fake_runs_dry_when_buffers_are_kept():
    """Negative control: a driver that leaked requests would be seen."""
    pi = FakePi(patches)
    camera = without_driver(pi)
    with pytest.raises(TimeoutError):
        for _ in range(5):
            camera.capture_request(wait=1.0)
    assert pi.out == 4


def test_time_is_the_sensors_own():
    camera = opened(FakePi(patches), rate=10.0)
    times = [camera.read().time for _ in range(3)]
    assert np.diff(times) == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        pytest.param({"busy": True}, "camera 0 cannot be opened", id="busy"),
        pytest.param({"cameras": 0}, "camera 0 cannot be opened", id="none there"),
        pytest.param(
            {"forced_size": (256, 192)},
            "it gives 256x192 BGR888 where 320x240 BGR888 was asked for",
            id="another size",
        ),
    ],
)
def test_a_camera_that_cannot_start_says_why(fault, sentence):
    pi = FakePi(patches, **fault)
    with pytest.raises(CameraError, match=sentence):
        opened(pi)
    assert pi.opened == pi.closed


def test_a_camera_that_stalls_is_an_error_and_can_be_opened_again():
    pi = FakePi(patches, frames_left=2)
    camera = opened(pi)
    camera.read()
    camera.read()
    with pytest.raises(CameraError, match="the camera stopped: no frame within 5 s"):
        camera.read()
    camera.close()
    pi.frames_left = None
    assert opened(pi).read() is not None


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        pytest.param(
            {"busy": True},
            "camera 0 cannot be opened: Camera __init__ sequence did not complete:"
            " Failed to acquire camera: Device or resource busy; another program uses"
            " it: end that program",
            id="busy",
        ),
        pytest.param(
            {"cameras": 0},
            "camera 0 cannot be opened: No camera number 0 found - use"
            ' "rpicam-hello --list-cameras" to check connected cameras',
            id="none there",
        ),
    ],
)
def test_the_cause_is_said_and_what_to_do(fault, sentence):
    with pytest.raises(CameraError) as raised:
        opened(FakePi(patches, **fault))
    assert str(raised.value) == sentence


@pytest.mark.parametrize("late", [False, True], ids=["no frame", "just too late"])
def test_a_timeout_that_recovers_costs_no_buffer(late):
    pi = FakePi(patches)
    camera = opened(pi)
    for _ in range(20):  # of four buffers
        pi.frames_left, pi.comes_late = (1 if late else 0), late
        with pytest.raises(CameraError, match="no frame within 5 s"):
            camera.read()
        pi.frames_left = None
        frame = camera.read()
        assert frame is not None and pi.out == 1
        frame.release()
        assert pi.out == 0
    assert pi.waited_s == 20 * 5.0
    camera.close()


def test_control_a_driver_that_merely_waits_loses_a_buffer_with_each_timeout():
    pi = FakePi(patches)
    raw = without_driver(pi)
    for lost in range(1, 4):
        pi.frames_left = 0
        with pytest.raises(TimeoutError):
            raw.capture_request(wait=5.0)
        pi.frames_left = None
        raw.capture_request(wait=5.0).release()
        assert pi.out == lost


@pytest.mark.parametrize("board", BOARDS)
def test_who_reads_a_frame_cannot_write_into_it(board):
    camera = opened(FakePi(patches, board))
    frame = camera.read()
    if board == "PISP":  # the image processor's own buffer
        with pytest.raises(ValueError, match="read-only"):
            frame.pixels[0, 0, 0] = 1
    frame.release()
    camera.close()


def test_a_request_whose_picture_cannot_be_had_goes_back(monkeypatch):
    pi = FakePi(patches)
    camera = opened(pi)
    gone = {"ExposureTime": 8000}
    monkeypatch.setattr(
        "doorsill.drivers.camera.picamera_fake.FakeRequest.get_metadata", lambda _: gone
    )
    for _ in range(5):
        with pytest.raises(CameraError, match="the camera stopped: 'SensorTimestamp'"):
            camera.read()
        assert pi.out == 0
    camera.close()


def test_a_closed_camera_says_so_at_once():
    pi = FakePi(patches)
    camera = opened(pi)
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match="the camera stopped: it is closed"):
        camera.read()
    assert (pi.closed, pi.waited_s) == (1, 0.0)


def test_a_close_that_may_open_nothing_any_more_is_a_line_in_the_log(caplog):
    """picamera2 opens its heap of buffers again while it closes."""
    pi = FakePi(patches)
    camera = opened(pi)
    pi.heap_opens = False
    with caplog.at_level(logging.WARNING):
        camera.close()
    assert pi.opened == pi.closed
    assert "does not close: Could not open any dmaHeap device" in caplog.text


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.timeout(300)  # half a minute where nothing else runs
@pytest.mark.parametrize("fault", [{}, {"busy": True}, {"cameras": 0}, {"stall": True}])
def test_descriptors_do_not_grow_over_100_reopenings(fault):
    pi = FakePi(patches, frames_left=0 if fault.get("stall") else None)
    pi.busy, pi.cameras = fault.get("busy", False), fault.get("cameras", 1)
    gc.collect()
    gc.disable()  # nobody else shall tidy up meanwhile
    try:
        before = descriptors()
        for _ in range(100):
            with contextlib.suppress(CameraError):
                camera = opened(pi)
                try:
                    camera.read()
                finally:
                    camera.close()
        assert descriptors() == before
    finally:
        gc.enable()
    assert pi.opened == pi.closed == (0 if pi.busy or not pi.cameras else 100)


def test_control_picamera2_by_itself_leaves_descriptors_open():
    pi = FakePi(patches)
    kind = pi.library().open
    gc.disable()
    try:
        before = descriptors()
        for _ in range(10):
            kind(0).close()
        assert descriptors() == before + 10, "until the collector runs"
    finally:
        gc.enable()
        gc.collect()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a picamera2 of ours in place of any other, and takes it away again."""
    names = ("picamera2", "libcamera")
    before = {name: sys.modules.pop(name, None) for name in names}

    def write(picamera2: str, libcamera: str = "") -> None:
        for name, code in zip(names, (picamera2, libcamera), strict=True):
            (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)

    yield write
    for name, module in before.items():
        sys.modules.pop(name, None)
        if module is not None:
            sys.modules[name] = module


OLD_NUMPY = (
    "numpy.dtype size changed, may indicate binary incompatibility."
    " Expected 96 from C header, got 88 from PyObject"
)
REINSTALL = "reinstall it: `sudo apt install --reinstall python3-picamera2`"
BROKEN = [
    pytest.param(f"raise ValueError({OLD_NUMPY!r})", "'numpy<2'", id="numpy 1"),
    pytest.param(
        "raise ImportError('numpy.core.multiarray failed to import')",
        "'numpy<2'",
        id="numpy 2",
    ),
    pytest.param(
        "raise AttributeError('_ARRAY_API not found')", "'numpy<2'", id="array API"
    ),
    pytest.param("raise OSError('libcamera.so.0.7: No such file')", REINSTALL, id="so"),
    pytest.param("raise RuntimeError('of\\nits own')", REINSTALL, id="its own"),
    pytest.param("1 +", REINSTALL, id="half written"),
    pytest.param("class Picamera2: pass", REINSTALL, id="of another version"),
    pytest.param(
        "import prctl_that_nobody_has",
        "needs a Raspberry Pi with python3-picamera2",
        id="a part is missing",
    ),
]


@pytest.mark.parametrize(("code", "cure"), BROKEN)
def test_an_import_that_fails_is_one_sentence_with_the_cure(install, code, cure):
    install(code)
    with pytest.raises(ConfigError) as raised:
        open_camera("picamera", "", FIT)
    assert cure in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_libcamera_there_is_one_clear_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(
        ConfigError, match="needs a Raspberry Pi with python3-picamera2"
    ):
        open_camera("picamera", "", FIT)


TREE = b"raspberrypi,5-model-b\0brcm,bcm2712\0"
TREE_4 = b"raspberrypi,4-model-b\0brcm,bcm2711\0"


@pytest.mark.parametrize(
    ("platform", "tree"),
    [("PISP", TREE), ("VC4", TREE_4), ("VC4", b""), ("PISP", b"")],
)
def test_a_board_that_both_know_alike_is_taken(platform, tree):
    require_board(platform, tree)


PI_4 = """
class Picamera2:
    class platform:
        name = "VC4"
MappedArray = None
"""
COLOURS = """
class ColorSpace:
    Smpte170m = None
"""


def test_a_pi_5_is_not_taken_for_a_pi_4_because_devices_were_closed(
    tmp_path, monkeypatch, install
):
    """picamera2 asks /dev/video* once, and says VC4 where it may open none."""
    tree = tmp_path / "compatible"
    tree.write_bytes(TREE)
    where = "doorsill.drivers.camera.picamera_library"
    monkeypatch.setattr(f"{where}.COMPATIBLE", (tmp_path / "hidden", tree))
    install(PI_4, COLOURS)
    with pytest.raises(CameraError, match="takes this Raspberry Pi 5 for an older one"):
        find_library()


def test_nothing_of_picamera2_is_loaded_before_it_is_asked_for():
    code = (
        "import sys, doorsill.drivers.camera.picamera, doorsill.vision.door;"
        "assert not {'picamera2', 'libcamera'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=dict(os.environ),
        timeout=PROGRAM_S,
    )


@pytest.mark.parametrize("source", ["/dev/video0", "-1", "8", "front"])
def test_a_source_is_a_camera_number(source):
    with pytest.raises(ConfigError, match="is not a camera number, 0 to 7"):
        open_camera("picamera", source, FIT)


@pytest.mark.parametrize(
    ("colour", "yuv"),
    [  # ITU-R BT.601, 8 bit, limited range
        pytest.param((0, 0, 0), (16, 128, 128), id="black"),
        pytest.param((255, 255, 255), (235, 128, 128), id="white"),
        pytest.param((255, 0, 0), (81, 90, 240), id="red"),
        pytest.param((0, 255, 0), (145, 54, 34), id="green"),
        pytest.param((0, 0, 255), (41, 240, 110), id="blue"),
        pytest.param((0, 255, 255), (170, 166, 16), id="cyan"),
        pytest.param((0, 0, 0), (0, 128, 128), id="below black"),
        pytest.param((255, 255, 255), (255, 128, 128), id="above white"),
    ],
)
def test_colours_follow_the_standard(colour, yuv):
    y, u, v = yuv
    planes = np.concatenate(
        [np.full(8 * 64, y), np.full(4 * 32, u), np.full(4 * 32, v)]
    ).astype(np.uint8)
    pixels = YuvConverter((16, 8)).convert(planes.reshape(12, 64))
    assert pixels.shape == (8, 16, 3)
    assert np.abs(pixels.astype(int) - colour).max() <= 2
    if y in (16, 235):
        back = to_yuv(np.full((8, 16, 3), colour, np.uint8))
        assert [plane.flat[0] for plane in back] == [y, u, v]


def test_every_yuv_value_converts_as_in_floating_point():
    rng = np.random.default_rng(4)
    planes = rng.integers(0, 256, (96 * 3 // 2, 128), np.uint8)
    got = YuvConverter((120, 96)).convert(planes).astype(float)
    y = planes[:96, :120].astype(float)
    flat = planes[96:].reshape(-1)
    u, v = (
        np.repeat(np.repeat(half.reshape(48, 64)[:, :60].astype(float), 2, 0), 2, 1)
        for half in (flat[: 48 * 64], flat[48 * 64 :])
    )
    luma = 1.164384 * (y - 16)
    red = luma + 1.596027 * (v - 128)
    green = luma - 0.391762 * (u - 128) - 0.812968 * (v - 128)
    blue = luma + 2.017232 * (u - 128)
    truth = np.clip(np.stack([red, green, blue], 2), 0, 255)
    assert np.abs(got - truth).max() <= 1.0


def test_a_buffer_of_another_form_is_an_error():
    with pytest.raises(CameraError, match="12 rows of 8 bytes, 12 rows of at least 16"):
        YuvConverter((16, 8)).convert(np.zeros((12, 8), np.uint8))
