"""All that is wrong with a configuration is said at once, by name and bound."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from doorsill.config import load_config, read_config
from doorsill.errors import ConfigError

GOOD = """
[device]
id = "cam-01"
site = "shop-1"
[camera]
driver = "video"
source = "/dev/video0"
[policy]
file = "policy.json"
controller_key = "/etc/doorsill/controller.pem"
[broker]
host = "broker.shop.example"
ca = "ca.pem"
certificate = "cam-01.pem"
key = "cam-01.key"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "doorsill.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("camera", "consent"),
    [
        pytest.param("/dev/video0", 'reader = "Gemalto"', id="the reader is named"),
        pytest.param("/dev/video0", 'token = "fido2"', id="a key without a reader"),
        pytest.param("street.mp4", "", id="a recording"),
    ],
)
def test_a_reader_is_asked_for_where_it_matters(
    tmp_path: Path, camera: str, consent: str
) -> None:
    text = GOOD.replace("/dev/video0", camera)
    section = f'[consent]\nca = "ca.pem"\n{consent}\n'
    assert load_config(write(tmp_path, text + section)).consent is not None


def test_a_good_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert config.device.id == "cam-01"
    assert config.policy.file == tmp_path / "policy.json"
    assert config.policy.controller_key == Path("/etc/doorsill/controller.pem")
    assert config.camera.frame_rate == 12.5
    assert config.privacy.k == 10
    assert config.consent is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            "[privacy]\nk = 2\n",
            "privacy.k = 2 is below the minimum of 10",
            id="k below the floor",
        ),
        pytest.param(
            "[privacy]\nepsilon_per_day = 50\n",
            "privacy.epsilon_per_day = 50 is above the maximum of",
            id="epsilon above the ceiling",
        ),
        pytest.param(
            "[model]\nthreats = 2\n",
            "model.threats is not an option; did you mean threads?",
            id="misspelt key",
        ),
        pytest.param(
            "[modle]\n",
            "[modle] is not a section; did you mean model?",
            id="misspelt section",
        ),
        pytest.param(
            "[model]\nthreads = true\n",
            "model.threads = True; it must be a whole number",
            id="true is no number",
        ),
        pytest.param(
            '[model]\nruntime = "onnx"\n',
            "model.runtime = 'onnx' is none of litert, tflite-runtime",
            id="unknown runtime",
        ),
        pytest.param("[consent]\n", "consent.ca is missing", id="missing key"),
        pytest.param(
            '[consent]\nca = "ca.pem"\n',
            "consent.reader is missing: at a real camera the reader is named",
            id="any reader at a real camera",
        ),
    ],
)
def test_a_fault_is_named_with_its_bound(
    tmp_path: Path, change: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, GOOD + change))
    assert sentence in str(caught.value)


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('id = "cam-01"', 'id = "Kamera 1"').replace("host", "hots")
    config, problems = read_config(write(tmp_path, text + "[privacy]\nk = 3\n"))
    assert config is None
    assert len(problems) == 4
    assert any("device.id = 'Kamera 1'" in problem for problem in problems)
    assert any("broker.hots" in problem for problem in problems)
    assert any("broker.host is missing" in problem for problem in problems)
    assert any("privacy.k = 3" in problem for problem in problems)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"[device", "is not TOML", id="broken TOML"),
        pytest.param(b"\xff\xfe", "is text in UTF-16; save it", id="text in UTF-16"),
        pytest.param(b"\xff\x00", "is not text in UTF-8", id="not a text"),
        pytest.param(None, "there is no such file", id="absent"),
    ],
)
def test_a_file_that_is_none_gets_a_sentence(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "doorsill.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        load_config(path)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        pytest.param(f"k = {'9' * 400}", r"privacy\.k = .* above", id="400 digits"),
        pytest.param(f"epsilon_per_day = {'9' * 400}", "above", id="400 as a number"),
        pytest.param(f"epsilon_per_day = -{'9' * 400}", "below", id="400 below zero"),
        pytest.param(f"k = {'9' * 5000}", "is not TOML", id="5,000 digits"),
        pytest.param("k = inf", "must be a whole number", id="infinite"),
        pytest.param("epsilon_per_day = nan", "below the minimum", id="not a number"),
        pytest.param("k = " + "[" * 5000, "is not TOML", id="nested too deep"),
        pytest.param("epsilon_per_day = 1979-05-27", "a number", id="a date"),
    ],
)
def test_a_number_of_any_shape_is_a_problem_and_no_traceback(
    tmp_path: Path, option: str, sentence: str
) -> None:
    path = tmp_path / "doorsill.toml"
    path.write_text(f"[privacy]\n{option}\n")
    config, problems = read_config(path)
    assert config is None
    assert any(re.search(sentence, each) for each in problems), problems
    assert max(map(len, problems)) < 400


def test_a_configuration_that_is_no_file_is_a_sentence(tmp_path: Path) -> None:
    for name, make in (("pipe", os.mkfifo), ("folder", Path.mkdir)):
        make(tmp_path / name)
        assert "and no file" in read_config(tmp_path / name)[1][0]
