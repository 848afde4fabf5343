"""What runs on this device, as it stands in every interval."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import doorsill
from doorsill.config import Config
from doorsill.errors import ConfigError
from doorsill.policy import Policy
from doorsill.uplink.reports import Release

HASH_DIGITS = 32


def release_of(config: Config, policy: Policy) -> Release:
    """Firmware version, detector and policy; hashes to their first 32 digits."""
    return Release(
        firmware=doorsill.__version__,
        model=model_hash(config.model.detector)[:HASH_DIGITS],
        policy=policy.digest[:HASH_DIGITS],
    )


def model_hash(name: str) -> str:
    """The SHA-256 in the model's manifest, which vision holds the file to.

    The manifest is read here without ``registry``: this process loads no numpy.
    """
    if name.endswith(".tflite"):
        try:
            return hashlib.sha256(Path(name).read_bytes()).hexdigest()
        except OSError as error:
            why = f"cannot read the model {name}: {error.strerror}"
            raise ConfigError(why) from None
    named = [Path(name)] if name.endswith(".toml") else []
    for path in named or [folder / f"{name}.toml" for folder in _folders()]:
        try:
            digest = tomllib.loads(path.read_text("utf-8"))["model"]["sha256"]
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} is no manifest: {error!r}") from None
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ConfigError(f"{path}: model.sha256 is not 64 hexadecimal digits")
        return digest
    raise ConfigError(f"model.detector = {name} is not a model that is shipped")


def _folders() -> tuple[Path, ...]:
    package = Path(doorsill.__file__).parent
    return package / "models", package.parent.parent / "models"
