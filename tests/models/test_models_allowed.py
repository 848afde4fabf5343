"""No model runs that the signed policy does not let run, with anything in the file."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

from doorsill.cli.check import problems_of
from doorsill.config import load_config
from doorsill.errors import UntrustedError
from doorsill.models.allowed import require_allowed, shipped_hashes
from doorsill.models.named import find
from doorsill.policy.draft import draft_text, first_body, preview
from doorsill.services.policies import store_of
from doorsill_fleet.stage.shop import Stage

LINE = (((0.0, 0.6), (1.0, 0.6)),)
OTHER = "0" * 64


def sha256_of(name: str) -> str:
    return find(name).require_allowed(None)


def test_those_that_came_with_it_are_known_by_name_and_hash() -> None:
    assert shipped_hashes()[sha256_of("detector")] == "detector"
    assert shipped_hashes()[sha256_of("attributes")] == "attributes"


def test_a_hash_that_is_not_named_is_refused() -> None:
    ours = sha256_of("detector")
    assert require_allowed(ours, frozenset([ours]), "detector") == ours
    assert require_allowed(OTHER, None, "x.tflite") == OTHER, "an evaluation"
    with pytest.raises(UntrustedError, match=r"x\.tflite has SHA-256 0{64}, which the"):
        require_allowed(OTHER, frozenset([ours]), "x.tflite")


class Shop(Stage):
    """A shop whose policy may name models."""

    models: tuple[str, ...] = ()

    def policy_body(self) -> dict[str, Any]:
        body = super().policy_body()
        return body | {"models": list(self.models)} if self.models else body


def another_model(folder: Path) -> Path:
    """Our detector with a byte more: it runs as well, and is another one."""
    model = (ROOT / "models" / "detector.tflite").read_bytes() + b"\0"
    (folder / "other.tflite").write_bytes(model)
    text = (ROOT / "models" / "detector.toml").read_text()
    text = text.replace(sha256_of("detector"), hashlib.sha256(model).hexdigest())
    path = folder / "other.toml"
    path.write_text(text.replace('"detector.tflite"', '"other.tflite"'))
    return path


def started(shop: Shop, process: str) -> subprocess.CompletedProcess[str]:
    config = load_config(shop.configuration)
    for folder in (config.device.run, config.policy_in_force.parent):
        folder.mkdir(parents=True, exist_ok=True)
    config.outbox.parent.mkdir(parents=True, exist_ok=True)
    store_of(config).take_over(config.policy.file)
    return subprocess.run(
        [
            *(sys.executable, "-m", "doorsill", "run", "--only", process),
            *("--config", str(shop.configuration)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def problems(shop: Shop) -> list[str]:
    from datetime import UTC, datetime

    found = problems_of(load_config(shop.configuration), datetime.now(UTC))
    return [str(each) for each in found]


@pytest.mark.parametrize("form", ["other.toml", "other.tflite"])
def test_an_unsigned_file_cannot_put_another_model_in_place(
    tmp_path: Path, form: str
) -> None:
    another_model(tmp_path)
    shop = Shop(tmp_path, LINE, detector=str(tmp_path / form))
    shop.set()
    for process in ("vision", "uplink"):
        done = started(shop, process)
        assert done.returncode == 3, done.stderr
        assert "which the policy does not let run" in done.stderr
        assert "Traceback" not in done.stderr
    assert any("does not let run" in each for each in problems(shop))


def test_a_model_that_the_policy_names_runs_and_ours_then_does_not(
    tmp_path: Path,
) -> None:
    path = another_model(tmp_path)
    shop = Shop(tmp_path, LINE, detector=str(path))
    shop.models = (sha256_of(str(path)),)
    shop.set()
    assert problems(shop) == []
    text = shop.configuration.read_text()
    shop.configuration.write_text(text.replace(f'"{path}"', '"detector"'))
    found = problems(shop)
    assert len(found) == 1 and "the model detector has SHA-256" in found[0]


def test_a_model_of_attributes_is_held_to_the_policy_as_well(tmp_path: Path) -> None:
    class Looking(Shop):
        def policy_body(self) -> dict[str, Any]:
            return super().policy_body() | {"attributes": True, "notice": "n-1"}

    shop = Looking(tmp_path, LINE)
    shop.models = (sha256_of("detector"),)
    shop.set()
    assert any("the model attributes has SHA-256" in each for each in problems(shop))
    done = started(shop, "vision")
    assert done.returncode == 3 and "the model attributes has" in done.stderr


def test_a_draft_shows_the_models_there_are_and_keeps_those_it_names() -> None:
    text = draft_text(first_body("porto-1"))
    assert f"#   {sha256_of('detector')}  detector\n" in text
    assert preview(tomllib.loads(text)).models == ()
    named = draft_text(first_body("porto-1") | {"models": [OTHER]})
    assert preview(tomllib.loads(named)).models == (OTHER,)
