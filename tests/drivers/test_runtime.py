"""Runtimes, models and delegates: the real ones, also where they kill a process."""

import importlib.util
import logging
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from children import status_of
from limits import PROGRAM_S

from doorsill.drivers.model import interpreter, probe, runtime
from doorsill.errors import ConfigError
from doorsill.models.recognise import MODEL_MAX_BYTES

SSD = Path("../shared/data/models/ssd_mobilenet_v1_coco_uint8.tflite")

# What a delegate library has to export; PREPARE and CREATE make the good and the bad.
DELEGATE_C = """
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
typedef struct Delegate {
  void *data; int (*prepare)(void *, struct Delegate *);
  void *from, *to, *release; int64_t flags; void *opaque;
} Delegate;
static int prepare(void *context, Delegate *self) { PREPARE }
static Delegate only = {0, prepare, 0, 0, 0, 0, 0};
Delegate *tflite_plugin_create_delegate(
    char **keys, char **values, size_t n, void (*report)(const char *)) { CREATE }
void tflite_plugin_destroy_delegate(Delegate *self) {}
"""


@pytest.fixture(scope="module")
def ssd() -> bytes:
    if not SSD.exists():
        pytest.skip(f"{SSD} is not here")
    return SSD.read_bytes()


@pytest.fixture
def delegate(tmp_path):
    def build(prepare: str = "return 0;", create: str = "return &only;") -> str:
        source, library = tmp_path / "delegate.c", tmp_path / "libdelegate.so"
        text = DELEGATE_C.replace("PREPARE", prepare).replace("CREATE", create)
        source.write_text(text)
        command = ["gcc", "-shared", "-fPIC", "-o", str(library), str(source)]
        subprocess.run(command, check=True, timeout=PROGRAM_S)
        return str(library)

    return build


def test_a_model_says_what_goes_in_and_what_comes_out(ssd):
    model = runtime.load(ssd)
    assert model.input.shape == (1, 300, 300, 3)
    assert model.input.dtype == np.uint8
    assert (model.input.scale, model.input.zero_point) == (0.0078125, 128)
    shapes = [output.tensor.shape for output in model.outputs()]
    assert shapes == [(1, 10, 4), (1, 10), (1, 10), (1,)]
    assert model.post_process == (0, 1, 2, 3)


def test_the_input_view_is_the_models_own_memory(ssd):
    model = runtime.load(ssd)
    address = model.input_view().ctypes.data
    model.input_view()[...] = 7
    model.invoke()
    assert model.input_view().ctypes.data == address
    assert (model.input_view() == 7).all(), "the runtime keeps what we wrote"


def test_outputs_outlive_the_next_invoke(ssd):
    model = runtime.load(ssd)
    model.input_view()[...] = 0
    model.invoke()
    first = model.outputs()
    kept = [output.values.copy() for output in first]
    rng = np.random.default_rng(5)
    model.input_view()[...] = rng.integers(0, 256, model.input.shape, np.uint8)
    model.invoke()
    for output, values in zip(first, kept, strict=True):
        assert (output.values == values).all()
    assert any(
        (a != b.values).any() for a, b in zip(kept, model.outputs(), strict=True)
    )


def test_reference_kernels_give_the_same_bits_every_time(ssd):
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (1, 300, 300, 3), np.uint8)
    runs = []
    for _ in range(2):
        model = runtime.load_reference(ssd)
        model.input_view()[...] = picture
        model.invoke()
        runs.append(b"".join(output.values.tobytes() for output in model.outputs()))
    assert runs[0] == runs[1]


def test_quantised_outputs_become_real_numbers():
    tensor = interpreter.Tensor("x", (3,), np.dtype(np.int8), 0.5, -2)
    real = interpreter.Output(tensor, np.array([-2, 0, 127], np.int8)).real()
    assert real.dtype == np.float32
    assert real.tolist() == [0.0, 1.0, 64.5]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        pytest.param(lambda m: b"", "not a TFLite model", id="empty file"),
        pytest.param(lambda m: b"\x89PNG" * 99, "not a TFLite model", id="a picture"),
        pytest.param(lambda m: m[:1000], "cannot be loaded", id="cut after 1 kB"),
        pytest.param(lambda m: m[: len(m) // 2], "cannot be loaded", id="cut in half"),
        pytest.param(
            lambda m: b"\x18\0\0\0TFL3", "cannot be loaded", id="8 bytes, wild offset"
        ),
        pytest.param(
            lambda m: m[:64] + bytes(2000) + m[2064:], "cannot be loaded", id="zeroed"
        ),
        pytest.param(
            lambda m: m + bytes(MODEL_MAX_BYTES),
            f"above the limit of {MODEL_MAX_BYTES}",
            id="64 MiB",
        ),
    ],
)
def test_a_corrupt_model_is_one_sentence(ssd, damage, sentence):
    with pytest.raises(ConfigError, match=sentence):
        runtime.load(damage(ssd))


def _outcome(model: bytes) -> str:
    """Load in a fork, so that a crash of the runtime is seen and not suffered."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            runtime.load(model).invoke()
        except ConfigError:
            os._exit(1)
        except BaseException:
            os._exit(2)
        os._exit(0)
    status = status_of(child)
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else str(status)


def test_no_damaged_model_crashes_litert(ssd):
    rng = random.Random(20)
    for length in (8, 9, 100, len(ssd) - 4096, *rng.sample(range(len(ssd)), 20)):
        assert _outcome(ssd[:length]) in ("0", "256"), f"cut at {length}"
    # The tables lie at the end of the file, the weights before them.
    for _ in range(50):
        model = bytearray(ssd)
        spots = [rng.randrange(len(ssd) - 40_000, len(ssd)) for _ in range(8)]
        for spot in [*spots, rng.randrange(64)]:
            model[spot] = rng.randrange(256)
        assert _outcome(bytes(model)) in ("0", "256"), f"bytes at {spots}"


def test_the_crash_detector_sees_a_crash(ssd, monkeypatch):
    monkeypatch.setattr(runtime, "load", lambda _: os.kill(os.getpid(), 9))
    assert _outcome(ssd) == "signal 9"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(
            {"runtime": "onnx"},
            "runtime = 'onnx' is none of litert, tflite-runtime",
            id="unknown runtime",
        ),
        pytest.param(
            {"runtime": "tflite-runtime"}, "needs numpy < 2", id="numpy 2 breaks it"
        ),
        pytest.param({"threads": 0}, "threads = 0 is below the minimum of 1", id="0"),
        pytest.param({"delegate": "/no.so"}, "/no.so cannot be used", id="no delegate"),
    ],
)
def test_a_wrong_choice_is_one_sentence(ssd, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        runtime.load(ssd, **options)


def test_a_runtime_that_is_absent_is_named(monkeypatch):
    monkeypatch.setattr(np, "__version__", "1.26.4")
    if importlib.util.find_spec("tflite_runtime") is not None:
        pytest.skip("tflite-runtime is installed here")
    with pytest.raises(ConfigError, match="needs the package tflite-runtime"):
        interpreter.import_runtime("tflite-runtime")


def test_a_delegate_that_works_is_used(ssd, delegate):
    library = delegate()
    assert probe.reason_against(ssd, "litert", library) is None
    model = runtime.load(ssd, delegate=library)
    model.invoke()
    assert len(model.outputs()) == 4


def test_a_trial_is_made_once(ssd, delegate, monkeypatch):
    library = delegate()
    assert probe.reason_against(ssd, "litert", library) is None
    monkeypatch.setattr(probe.subprocess, "run", None)  # as after confinement
    runtime.load(ssd, delegate=library).invoke()


BAD_DELEGATES = [
    pytest.param({"create": "abort();"}, "SIGABRT", id="aborts"),
    pytest.param({"create": "*(volatile int *)8 = 1;"}, "SIGSEGV", id="segfaults"),
    pytest.param(
        {"prepare": "*(volatile int *)8 = 1;"}, "SIGSEGV", id="segfaults in the graph"
    ),
    pytest.param(
        {"create": 'report("no device"); return 0;'}, "no device", id="no device"
    ),
    pytest.param({"create": "exit(9);"}, "ended with 9", id="exits"),
]


@pytest.mark.parametrize(("faults", "reason"), BAD_DELEGATES)
def test_a_delegate_that_kills_its_process_kills_only_the_trial(
    ssd, delegate, faults, reason
):
    with pytest.raises(ConfigError, match=f"cannot be used: .*{reason}"):
        runtime.load(ssd, delegate=delegate(**faults))


def test_a_delegate_that_hangs_is_given_up(ssd, delegate, monkeypatch):
    monkeypatch.setattr(probe, "PROBE_TIMEOUT_S", 2.0)
    with pytest.raises(ConfigError, match="no answer within 2 s"):
        runtime.load(ssd, delegate=delegate(create="for (;;) pause();"))


def test_falling_back_is_logged_and_only_where_allowed(ssd, delegate, caplog):
    library = delegate(create="abort();")
    with caplog.at_level(logging.WARNING):
        model = runtime.load(ssd, delegate=library, allow_fallback=True)
    assert "SIGABRT" in caplog.text
    assert "on the CPU instead" in caplog.text
    model.invoke()


def test_the_probe_reads_the_model_from_its_input(ssd):
    command = [sys.executable, "-m", "doorsill.drivers.model.probe", "litert"]
    good = subprocess.run(
        command, input=ssd, capture_output=True, check=False, timeout=PROGRAM_S
    )
    bad = subprocess.run(
        command, input=ssd[:999], capture_output=True, check=False, timeout=PROGRAM_S
    )
    assert (good.returncode, bad.returncode) == (0, 1)
    assert b"reason: the model cannot be loaded" in bad.stderr


def test_the_runtimes_notes_are_not_shown_and_its_complaints_are(capfd):
    def runtime_says(*lines):
        with interpreter.hide_notes():
            os.write(2, b"".join(lines))

    runtime_says(b"INFO: Created a delegate.\n", b"ERROR: no such operation\n")
    assert capfd.readouterr().err == "ERROR: no such operation\n"
    with pytest.raises(ZeroDivisionError), interpreter.hide_notes():
        os.write(2, b"ERROR: before it broke\n")
        raise ZeroDivisionError
    os.write(2, b"INFO: after\n")  # stderr is what it was
    assert capfd.readouterr().err == "ERROR: before it broke\nINFO: after\n"
    runtime_says(*[b"WARNING: " + b"x" * 990 + b"\n"] * 200)  # more than a pipe holds
    assert 1000 <= len(capfd.readouterr().err) <= 1 << 16


def test_loading_a_model_says_nothing(ssd, capfd):
    runtime.load(ssd)
    assert capfd.readouterr().err == ""
