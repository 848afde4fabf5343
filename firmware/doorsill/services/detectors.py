"""Open the models: ours by name, or any finished SSD by its file."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from doorsill.config import ModelSection
from doorsill.drivers.model.probe import reason_against, require_sound
from doorsill.drivers.model.runtime import load
from doorsill.errors import ConfigError
from doorsill.models.allowed import Allowed, require_allowed
from doorsill.models.manifest import Manifest, shipped
from doorsill.models.named import find
from doorsill.models.stated import read_stated
from doorsill.vision.attributes.appearance import Appearance
from doorsill.vision.detect import heads
from doorsill.vision.detect.detector import Detector, NetDetector
from doorsill.vision.detect.foreign import Foreign, foreign_detector
from doorsill.vision.detect.opening import (
    heads_decoder,
    manifested_detector,
    open_model,
)

log = logging.getLogger(__name__)


def with_probed_delegate(
    section: ModelSection, allowed: Allowed | None = None
) -> ModelSection:
    """``section``, after its delegate was tried in a child process.

    The result has no delegate if that fails and the fallback is allowed. To be called
    before the process confines itself, because later it can start no child. Raises
    ConfigError if the delegate or a model of others does not work.
    """
    named = find(section.detector)
    if not section.delegate and not named.is_path:
        return section
    model = named.read(allowed)
    section = _drop_broken_delegate(section, model)
    if named.is_path:
        _require_loadable(model, section)
    return section


def _drop_broken_delegate(section: ModelSection, model: bytes) -> ModelSection:
    """``section``; without its delegate if that fails and the fallback is allowed."""
    if not section.delegate:
        return section
    reason = reason_against(model, section.runtime, section.delegate)
    if reason is None:
        return section
    if not section.delegate_fallback:
        raise ConfigError(f"model.delegate = {section.delegate}: {reason}")
    log.warning("%s cannot be used (%s): on the CPU", section.delegate, reason)
    return replace(section, delegate="")


def open_detector(section: ModelSection, allowed: Allowed | None = None) -> Detector:
    """The detector that ``section`` names, loaded and ready.

    A name is one of ours, whose manifest is enforced; a path is a manifest (``.toml``)
    or a bare detector of others. Raises ConfigError if it does not work, UntrustedError
    if it is not ``allowed`` (None allows all) or not what its manifest says.
    """
    named = find(section.detector)
    if named.manifest is None:
        model = named.read(allowed)
        _require_loadable(model, section)
        return _bare(named.path, model, section)
    named.require_allowed(allowed)
    if named.is_path:
        _require_loadable(named.read(allowed), section)
    return _open_manifested(named.manifest, section)


def _require_loadable(model: bytes, section: ModelSection) -> None:
    """Try ``model`` in a child process; raises ConfigError if it cannot be loaded.

    To be called before the process confines itself. With a delegate it is not tried
    here: a model that was compiled for an accelerator runs on nothing else, so the
    delegate and the model are tried together.
    """
    try:
        if not section.delegate:
            require_sound(model, section.runtime)
        read_stated(model)  # also here, while its imports can still be loaded
    except ConfigError as error:
        raise error.of(section.detector) from None


def _bare(path: Path, model: bytes, section: ModelSection) -> NetDetector:
    try:
        interpreter = load(
            model,
            threads=section.threads,
            runtime=section.runtime,
            delegate=section.delegate or None,
            allow_fallback=section.delegate_fallback,
        )
        foreign = foreign_detector(interpreter, read_stated(model))
    except ConfigError as error:
        raise error.of(path) from None
    return _with_its_doubts(foreign, path)


def _open_manifested(manifest: Manifest, section: ModelSection) -> NetDetector:
    if manifest.kind == "attributes":
        raise ConfigError(
            f"the model {manifest.name} describes people and does not find them; "
            "give a detector, such as ours: detector"
        )
    if manifest.encoding != "rgb":
        raise ConfigError(
            f"{manifest.name} wants the encoding {manifest.encoding}; "
            "this version feeds rgb"
        )
    interpreter = open_model(
        manifest,
        threads=section.threads,
        runtime=section.runtime,
        delegate=section.delegate or None,
    )
    if manifest.kind == "heads":
        return NetDetector(interpreter, heads_decoder(manifest), heads.BIRTH_SCORE)
    return _with_its_doubts(manifested_detector(manifest, interpreter), manifest.path)


def _with_its_doubts(foreign: Foreign, path: Path) -> NetDetector:
    for doubt in foreign.doubts:
        log.warning("%s: %s", path, doubt)
    return foreign.detector


def open_reader(section: ModelSection, allowed: Allowed | None = None) -> Appearance:
    """The attributes model that ``section`` names; its manifest is enforced."""
    manifest = shipped(section.attributes)
    require_allowed(manifest.sha256, allowed, section.attributes)
    if manifest.kind != "attributes":
        raise ConfigError(
            f"model.attributes = {section.attributes} is of kind {manifest.kind}"
        )
    interpreter = open_model(manifest, threads=section.threads, runtime=section.runtime)
    return Appearance(interpreter, manifest.outputs)
