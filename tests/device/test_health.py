"""The machine's own numbers, read from the files that the kernel keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorsill.device import clock, health


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        pytest.param("0", "good", id="nothing"),
        pytest.param("50000", "good", id="it was, and is no more"),
        pytest.param("50005", "under_voltage", id="too little voltage, throttled"),
        pytest.param("4", "throttled", id="throttled"),
        pytest.param("8", "throttled", id="too hot"),
        pytest.param("not a number", "unknown", id="rubbish"),
    ],
)
def test_the_power_as_the_firmware_says_it(
    tmp_path: Path, word: str, expected: str
) -> None:
    put(tmp_path, health.FIRMWARE, word + "\n")
    assert health.power(tmp_path) == expected


@pytest.mark.parametrize(
    ("name", "alarm", "expected"),
    [
        pytest.param("rpi_volt", "1", "under_voltage", id="alarm"),
        pytest.param("rpi_volt", "0", "good", id="none"),
        pytest.param("cpu_fan", "1", "unknown", id="another sensor"),
    ],
)
def test_the_power_as_the_kernel_says_it(
    tmp_path: Path, name: str, alarm: str, expected: str
) -> None:
    put(tmp_path, "sys/class/hwmon/hwmon2/in0_lcrit_alarm", alarm)
    put(tmp_path, "sys/class/hwmon/hwmon2/name", name)
    assert health.power(tmp_path) == expected


def test_the_hottest_sensor_counts_and_one_that_lies_does_not(tmp_path: Path) -> None:
    assert health.temperature_c(tmp_path) is None
    for number, text in enumerate(("48312", "61999", "-274000", "x")):
        put(tmp_path, f"sys/class/thermal/thermal_zone{number}/temp", text)
    assert health.temperature_c(tmp_path) == 61


def test_a_machine_without_sensors_says_so(tmp_path: Path) -> None:
    assert health.power(tmp_path) == "unknown"


def test_the_free_space_is_that_of_the_file_system(tmp_path: Path) -> None:
    assert health.disk_free_mib(tmp_path) > 0
    with pytest.raises(OSError, match="No such file"):
        health.disk_free_mib(tmp_path / "nowhere")


def test_the_floor_of_the_clock_is_the_latest_proof(tmp_path: Path) -> None:
    assert clock.floor_of([]) == clock.RELEASED - clock.SLACK_S
    later = clock.RELEASED + 86_400
    assert clock.floor_of([0.0, later]) == later - clock.SLACK_S
    assert clock.when_written(tmp_path / "nothing") == []
    put(tmp_path, "policy.json", "{}")
    assert clock.when_written(tmp_path / "policy.json")[0] > clock.RELEASED


@pytest.mark.parametrize("name", [clock.SYNCHRONISED, clock.CHRONY])
def test_the_network_sets_the_clock(tmp_path: Path, name: str) -> None:
    assert not clock.is_synchronised(tmp_path)
    put(tmp_path, name, "")
    assert clock.is_synchronised(tmp_path)
