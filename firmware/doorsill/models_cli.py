"""List, check, measure and fetch models.

A model is named (such as detector) or given as a path to a manifest (.toml) or to a
detector's file (.tflite, .lite).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.progress import Progress

from doorsill import models_edgetpu, models_fetch, models_measure, registry
from doorsill.drivers.runtime import RUNTIMES, Tensor
from doorsill.errors import ConfigError
from doorsill.models_allowed import read_model
from doorsill.models_measure import Tally
from doorsill.models_named import Model, find


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def _progress() -> Progress:
    return Progress(console=Console(stderr=True), transient=True)


def list_models(_: argparse.Namespace) -> int:
    """Name the models that came with this installation."""
    found = [registry.load_manifest(path) for path in registry.manifests()]
    if not found:
        raise ConfigError("this installation holds no models")
    _say(f"{'name':12} {'kind':11} {'version':8} {'status':13} {'input':10} size")
    for each in found:
        size = len(read_model(str(each.model_path))) // 1000
        shape = f"{each.width}x{each.height}"
        _say(
            f"{each.name:12} {each.kind:11} {each.version:8} {each.status:13}"
            f" {shape:10} {size} kB"
        )
    return 0


def info_models(args: argparse.Namespace) -> int:
    """Print all that a manifest says."""
    model = find(args.model)
    if model.manifest is None:
        return _info_foreign(model)
    m = model.manifest
    _say(f"{m.name} {m.version}, {m.kind}, {m.status}, {m.licence}")
    _say(f"file        {m.file}, sha256 {m.sha256}")
    _say(f"input       {m.width}x{m.height} {m.encoding}, {m.dtype}")
    for out in m.outputs:
        shape = "x".join(map(str, out.shape))
        labels = f": {', '.join(out.labels)}" if out.labels else ""
        _say(f"output      {out.name} {shape}{labels}")
    if m.decode is not None:
        _say(f"scores      from {m.decode.threshold}, sure from {m.decode.sure}")
    _say(f"trained by  commit {m.training_commit}")
    _say(f"provenance  {m.provenance}")
    if m.kind == "ssd":
        _understood(model)
    return 0


def _info_foreign(model: Model) -> int:
    """What is in somebody else's file, and how it would be read."""
    net = model.interpreter()
    digest = hashlib.sha256(read_model(str(model.path))).hexdigest()
    _say(f"{model.title}, not ours; sha256 {digest}")
    _say(f"input       {_tensor(net.input)}")
    for output in net.outputs():
        _say(f"output      {_tensor(output.tensor)}")
    _understood(model)
    return 0


def _understood(model: Model) -> None:
    foreign = model.foreign()
    for each in foreign.words:
        _say(f"read as     {each}")
    for each in foreign.doubts:
        _say(f"in doubt    {each}")


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name} {'x'.join(map(str, tensor.shape))} {tensor.dtype}"


def verify_models(args: argparse.Namespace) -> int:
    """Check hashes and tensors; raises for the first that is wrong."""
    names = args.models or [str(path) for path in registry.manifests()]
    if not names:
        raise ConfigError("this installation holds no models")
    for name in names:
        model = find(name)
        if model.manifest is None:
            raise ConfigError(f"{name} has no manifest to be verified against")
        registry.opened(model.manifest)
        _say(f"{model.title}: sha256, input and outputs are what the manifest says")
    return 0


def bench_models(args: argparse.Namespace) -> int:
    """Measure each model with each runtime that is installed."""
    models = [find(name) for name in args.models]
    _say(f"{'model':28} {'runtime':15} threads  median ms  p95 ms")
    for model in models:
        for runtime in _runtimes():
            for count in args.threads:
                net = model.interpreter(count, runtime)
                median, late = models_measure.latency(net, args.runs)
                times = f"{median:10.2f} {late:7.2f}"
                _say(f"{model.title:28} {runtime:15} {count:7} {times}")
    return 0


def _runtimes() -> list[str]:
    """Those that are installed."""
    found = []
    for name, (_, package) in RUNTIMES.items():
        try:
            version(package)
        except PackageNotFoundError:
            continue
        found.append(name)
    return found


def evaluate_models(args: argparse.Namespace) -> int:
    """Print precision and recall on labelled clips."""
    labels = models_measure.read_labels(args.labels or args.data / "labels.json")
    frames = sum(len(clip) for clip in labels.values())
    for name in args.models:
        model = find(name)
        net = model.detector()
        _say(f"{model.title}, shares with 95 % Wilson intervals")
        with _progress() as progress:
            task = progress.add_task(model.title, total=frames)

            def advance(bar: Progress = progress, which: int = int(task)) -> None:
                bar.advance(which)  # type: ignore[arg-type]

            for clip, tally in models_measure.evaluate(net, labels, args.data, advance):
                _report(clip, tally)
    return 0


def _report(clip: str, tally: Tally) -> None:
    _say(f"  {clip}")
    for name, score in (("heads", tally.heads), ("people", tally.people)):
        if score.recall.total or score.precision.total:
            _say(f"    {name:7} precision {score.precision}")
            _say(f"    {name:7} recall    {score.recall}")
    if tally.empty_frames:
        _say(f"    {tally.false_in_empty} boxes in {tally.empty_frames} empty frames")


def fetch_models(args: argparse.Namespace) -> int:
    """Fetch a well-known detector by its pinned hash."""
    wanted = models_fetch.known(args.name)
    with _progress() as progress:
        task = progress.add_task(wanted.name, total=None)
        path = models_fetch.fetch(
            wanted,
            args.to,
            lambda have, whole: progress.update(task, completed=have, total=whole),
            args.url,
        )
    _say(f"{path}: {wanted.about}; sha256 as pinned")
    return 0


def compile_models(args: argparse.Namespace) -> int:
    """Run the Edge TPU compiler."""
    model = find(args.model)
    compiler = models_edgetpu.installed(args.compiler)
    if model.manifest is not None:
        registry.verified_model(model.manifest)
    target = models_edgetpu.compiled(model.path, model.title, compiler, args.to)
    _say(f"{target}: every operation runs on the Edge TPU")
    return 0
