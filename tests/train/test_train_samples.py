"""From scenes to samples: labels follow every change, and targets decode to people."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from training import nobody, row, save_world

from doorsill.models.manifest import HeadsDecode
from doorsill.values import Detections
from doorsill.vision.detect.heads import HeadDecoder
from doorsill_train import labels
from doorsill_train.judge.change_real import ChangeInput
from doorsill_train.learn import samples
from doorsill_train.learn.evaluate import HEAT, REG, stored
from doorsill_train.shards import COLUMNS, HEIGHT, ROWS, WIDTH, Shards

SIZE = np.array([WIDTH, HEIGHT] * 2)
Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple]


def scene(person: np.ndarray) -> np.ndarray:
    """Planes (5, h, w) that are dark but for the person's head, which is red."""
    planes = np.full((5, HEIGHT, WIDTH), 20, np.uint8)
    for x0, y0, x1, y1 in person[:, labels.HEAD].round().astype(int):
        planes[0, max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 220
    return planes


def red(planes: np.ndarray) -> list[float]:
    """Where the picture is red: x0, y0, x1, y1."""
    rows, columns = np.nonzero(planes[0].astype(int) - planes[1] > 100)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def mirrored(planes: np.ndarray, rows: np.ndarray, _: object) -> tuple:
    return samples.mirrored(planes, rows)


def flipped(planes: np.ndarray, rows: np.ndarray, _: object) -> tuple:
    return samples.flipped(planes, rows)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("change", [mirrored, flipped, samples.zoomed, samples.barred])
def test_a_label_stays_on_its_head(change: Change, seed: int) -> None:
    person = row(head_x0=140, head_x1=170, head_y0=100, head_y1=130)
    planes, rows = change(scene(person), person, np.random.default_rng(seed))
    for found in rows[rows[:, labels.COLUMN["head_inside"]] > 0.99]:
        assert red(planes) == pytest.approx(found[labels.HEAD].tolist(), abs=1.6)


@pytest.mark.parametrize("change", [samples.mirrored, samples.flipped])
def test_a_mirror_s_mirror_is_the_scene(change: Callable[..., tuple]) -> None:
    person = row()
    planes, rows = change(*change(scene(person), person))
    assert np.array_equal(planes, scene(person))
    assert np.array_equal(rows, person)


def test_an_upright_person_stays_upright_in_a_mirror() -> None:
    planes, rows = samples.mirrored(scene(row()), row())
    (x0, y0, x1, y1) = rows[0, labels.BODY]
    assert x0 < x1 and y0 < y1
    assert rows[0, labels.FOOT].tolist() == [WIDTH - 115, 195]
    assert planes.shape == (5, HEIGHT, WIDTH)


def test_zooming_in_cuts_a_head_as_the_edge_would() -> None:
    corner = row(head_x0=0, head_x1=30, head_y0=0, head_y1=30)
    inside = []
    for seed in range(60):
        _, rows = samples.zoomed(scene(corner), corner, np.random.default_rng(seed))
        inside += rows[:, labels.COLUMN["head_inside"]].tolist()
    assert min(inside) < 0.5, "some are nearly gone"
    assert max(inside) == 1.0
    assert all(0 <= share <= 1 for share in inside)


@pytest.mark.parametrize("encoding", samples.ENCODINGS)
def test_nothing_changes_the_shape_or_the_kind(encoding: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        planes, rows = samples.augment(scene(row()), row(), rng)
        assert planes.dtype == np.uint8
        assert planes.shape == (5, HEIGHT, WIDTH)
        assert np.isfinite(rows).all()
        assert samples.encode(planes, encoding).shape == (HEIGHT, WIDTH, 3)


def test_colour_is_what_the_camera_gives() -> None:
    planes = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 6), np.uint8)
    assert samples.encode(planes, "rgb")[0, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("now", "before", "empty", "wanted"),
    [
        pytest.param(90, 90, 90, [90, 128, 128], id="nothing moves"),
        pytest.param(90, 60, 90, [90, 158, 128], id="it grew light this moment"),
        pytest.param(90, 90, 190, [90, 128, 28], id="somebody dark stands there"),
        pytest.param(250, 10, 10, [250, 255, 255], id="more than a byte holds"),
    ],
)
def test_change_is_told_around_the_middle_of_a_byte(
    now: int, before: int, empty: int, wanted: list[int]
) -> None:
    planes = np.array([now, now, now, before, empty], np.uint8)[:, None, None]
    assert samples.encode(planes, "change")[0, 0].tolist() == wanted


def test_change_on_a_clip_is_the_change_of_training() -> None:
    """The first frame is its own past; a minute later the background has adapted."""
    dark, light = np.full((2, 2, 3), 50), np.full((2, 2, 3), 90)
    camera = ChangeInput(0.1)
    assert camera(dark)[0, 0].tolist() == [50, 128, 128]
    assert camera(light)[0, 0].tolist() == [90, 168, 168]
    assert camera(light)[0, 0, 1] == 128, "it stands still"
    for _ in range(1800):
        last = camera(light)
    assert 128 <= last[0, 0, 2] <= 131


def decoded(rows: np.ndarray) -> Detections:
    """What the device makes of a network that answers exactly as it should."""
    target = samples.target(rows)
    heat, reg = target[None, ..., 0:1], target[None, ..., 1:11]
    decoder = HeadDecoder((ROWS, COLUMNS), HEAT, REG, HeadsDecode(0.5))
    return decoder.decode(stored(heat, HEAT), stored(reg, REG))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="near"),
        pytest.param({"head_x1": 112, "head_y1": 62}, id="a small head"),
        pytest.param({"foot_x": 90, "foot_y": 215}, id="feet aside"),
        pytest.param({"head_x0": 40, "head_x1": 70, "head_y0": 64}, id="bent"),
    ],
)
def test_a_target_is_what_the_device_takes_for_this_person(
    values: dict[str, float],
) -> None:
    person = row(**values)
    found = decoded(person)
    assert len(found) == 1
    assert found.scores[0] > 0.99
    head, body = person[0, labels.HEAD], person[0, labels.BODY]
    assert found.heads[0] * SIZE == pytest.approx(head, abs=1.2)
    assert found.boxes[0] * SIZE == pytest.approx(body, abs=6)
    assert found.feet[0] * SIZE[:2] == pytest.approx(person[0, labels.FOOT], abs=2)


def test_two_people_side_by_side_are_two() -> None:
    other = row(head_x0=200, head_x1=228, body_x0=180, body_x1=250, foot_x=214)
    assert len(decoded(np.concatenate([row(), other]))) == 2


def test_a_body_without_a_head_is_marked_where_it_meets_the_edge() -> None:
    cut = row(head_y0=-40, head_y1=-10, head_inside=0, body_y0=0)
    assert labels.headless(cut).all()
    heat = samples.target(cut)[..., 0]
    line, column = np.unravel_index(heat.argmax(), heat.shape)
    assert (line, column) == (0, 115 // 8)


@pytest.mark.parametrize(
    "values", [{"head_contrast": 2}, {"head_seen": 0.1}, {"body_contrast": 1}]
)
def test_where_a_head_cannot_be_seen_no_answer_is_wrong(
    values: dict[str, float],
) -> None:
    target = samples.target(row(**values))
    weight = target[..., samples.WEIGHT]
    assert target[..., 0].max() == 0
    assert weight[65 // 8, 115 // 8] == 0
    assert weight[:, :8].min() == 1 and weight[20:].min() == 1, "elsewhere it is"


def test_a_clear_head_beside_a_hidden_one_still_weighs() -> None:
    hidden = row(head_seen=0.1)
    near = row(head_x0=104, head_x1=134)
    weight = samples.target(np.concatenate([hidden, near]))[..., samples.WEIGHT]
    assert weight[65 // 8, 119 // 8] == 1


def test_a_world_with_nobody_in_it_teaches_that_nobody_is_there(tmp_path: Path) -> None:
    save_world(tmp_path, 3, ["low", "overhead"])
    shards = Shards(tmp_path, held_out=False)
    image, target = next(samples.stream(shards, "rgb", seed=1))
    assert image.shape == (256, 320, 3)
    assert target[..., 0].max() == 0, "no heat"
    assert target[..., samples.WEIGHT].min() == 1, "everywhere"


def test_the_same_seed_gives_the_same_samples(tmp_path: Path) -> None:
    save_world(tmp_path, 3, ["low", "overhead"], [row(), nobody()], grey=90)
    shards = Shards(tmp_path, held_out=False)
    one, same, other = (
        list(islice(samples.stream(shards, "rgb", seed), 4)) for seed in (1, 1, 2)
    )
    for (image, target), (again, aim) in zip(one, same, strict=True):
        assert np.array_equal(image, again)
        assert np.array_equal(target, aim)
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(one, other, strict=True))


def test_a_sample_is_a_pixel_less_the_middle_of_a_byte(tmp_path: Path) -> None:
    save_world(tmp_path, 3, ["low"], grey=255)
    images = islice(samples.stream(Shards(tmp_path, False), "rgb", 4), 30)
    brightest = max(int(image.max()) for image, _ in images)
    assert brightest == 127
