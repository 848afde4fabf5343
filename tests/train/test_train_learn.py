"""The networks and what they lose by; with the extra ``train`` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training import row

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from doorsill_train.learn import (  # noqa: E402
    attributes,
    detector,
    grow,
    mean,
    net,
    samples,
)
from doorsill_train.publish.export import converted  # noqa: E402
from doorsill_train.publish.operators import operations  # noqa: E402
from doorsill_train.shards import COLUMNS, HEIGHT, ROWS, WIDTH  # noqa: E402

# TensorFlow and Keras warn of each other.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_detector_answers_for_each_cell() -> None:
    heat, reg = net.build("tiny")(np.zeros((1, HEIGHT, WIDTH, 3), np.float32))
    assert heat.shape == (1, ROWS, COLUMNS, 1)
    assert reg.shape == (1, ROWS, COLUMNS, 10)
    assert float(tf.reduce_max(heat)) < 0.2, "most cells are no head"


def test_what_is_exported_is_made_of_what_an_edge_tpu_maps() -> None:
    example = np.zeros((HEIGHT, WIDTH, 3), np.int8)
    found = operations(converted(net.build("tiny"), [example] * 2))
    assert found["CONV_2D", 3] > 5


def test_attributes_take_over_the_detector_s_first_layers(tmp_path: Path) -> None:
    weights = tmp_path / "detector.weights.h5"
    net.build().save_weights(weights)
    assert attributes.take_over(attributes.build(), weights) >= 8


def test_a_network_that_grew_answers_as_before() -> None:
    small = net.build("tiny")
    for layer in small.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([w + 0.3 for w in layer.get_weights()])
    image = np.random.default_rng(1).uniform(-1, 1, (1, HEIGHT, WIDTH, 3))
    wide = grow.grown(small, "s")
    for before, after in zip(small(image), wide(image), strict=True):
        assert np.allclose(before, after, atol=1e-5)


def test_a_network_does_not_shrink() -> None:
    with pytest.raises(ValueError, match="holds no"):
        grow.grown(net.build("s"), "tiny")


def test_a_mean_lies_between_both() -> None:
    one, other = net.build("tiny"), net.build("tiny")
    before, there = one.get_weights(), other.get_weights()
    mean.mean_of(one, other, 0.25)
    for a, b, got in zip(before, there, one.get_weights(), strict=True):
        assert np.allclose(got, 0.75 * a + 0.25 * b, atol=1e-6)


def test_normalisations_are_measured_again() -> None:
    model = net.build("tiny")
    seen = keras.Model(model.input, model.layers[1].output)  # the first convolution
    pictures = np.random.default_rng(2).uniform(-1, 1, (3, 2, HEIGHT, WIDTH, 3))
    found = seen(pictures.reshape(6, HEIGHT, WIDTH, 3)).numpy()
    mean.measure_again(model, pictures.astype(np.float32))
    norm = model.layers[2]
    assert np.allclose(norm.moving_mean, found.mean((0, 1, 2)), atol=1e-3)
    assert np.allclose(norm.moving_variance, found.var((0, 1, 2)), atol=1e-3)
    assert norm.momentum == 0.97, "a run that goes on learns as before"


def test_the_right_answer_loses_next_to_nothing() -> None:
    want = tf.constant(samples.target(row())[None])
    heat, reg = want[..., 0:1], want[..., 1:11]
    focal, apart = detector.loss(tf.where(heat > 0.999, 1.0, 0.0), reg, want)
    wrong, off = detector.loss(1 - heat, reg + 1, want)
    assert float(focal) < 0.01 < float(wrong)
    assert float(apart) == pytest.approx(0, abs=1e-4)
    assert float(off) > 1


def test_boxes_that_are_alike_do_not_disagree() -> None:
    box = tf.constant([[0.0, 0.0, 0.5, 0.5]])
    away = tf.constant([[9.0, 0.0, 0.5, 0.5]])
    assert float(detector.disagreement(box, box)[0]) == pytest.approx(0, abs=1e-6)
    assert 1 < float(detector.disagreement(box, away)[0]) < 2


def test_the_rate_warms_up_and_runs_out() -> None:
    rates = [detector.rate(step, 1000, 3e-3) for step in range(1000)]
    assert rates[0] < 1e-3
    assert max(rates) == pytest.approx(3e-3, rel=0.05)
    assert rates[-1] == pytest.approx(1e-5, rel=0.1)


def test_surprise_is_nought_for_the_sure_and_right() -> None:
    logits = np.array([[20.0, 0], [0, 20.0]])
    assert attributes.surprise(logits, np.array([0, 1])) == pytest.approx(0, abs=1e-6)
    assert attributes.surprise(logits * 0, np.array([0, 1])) == pytest.approx(np.log(2))


def test_mixing_takes_a_share_of_another_of_the_batch() -> None:
    mixed = attributes.mixed(tf.constant([[1.0], [0.0]]), tf.constant([0.25, 0.0]))
    assert mixed.numpy().ravel().tolist() == [0.75, 0.0]
