"""The models we ship: what they are made of, and what they answer, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doorsill.models import manifest as registry
from doorsill_train.publish import golden, operators

MANIFESTS = registry.manifests()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_only_operations_that_an_edge_tpu_maps(path: Path) -> None:
    model = registry.verified_model(registry.load_manifest(path))
    found = operators.operations(model)
    assert found["CONV_2D", 3] > 5


def test_an_operation_that_is_not_on_the_list_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = registry.verified_model(registry.shipped("detector"))
    monkeypatch.setitem(operators.ALLOWED, "RESIZE_NEAREST_NEIGHBOR", 1)
    with pytest.raises(ValueError, match="RESIZE_NEAREST_NEIGHBOR version 2"):
        operators.operations(model)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_the_reference_kernels_give_the_golden_answers(path: Path) -> None:
    manifest = registry.load_manifest(path)
    wanted = json.loads(golden.GOLDEN.read_text())[manifest.name]
    assert wanted.pop("model") == manifest.sha256, "run doorsill_train.publish.golden"
    assert golden.answers(manifest) == wanted
