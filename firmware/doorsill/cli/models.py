"""List, check, measure and fetch models.

A model is named (such as detector) or given as a path to a manifest (.toml) or to a
detector's file (.tflite, .lite).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.progress import Progress

from doorsill.cli.arguments.models import BENCH_THREADS
from doorsill.cli.count_results import on_page, write_json
from doorsill.commandline.progress import progress
from doorsill.commandline.tables import Rows
from doorsill.documents.reading import read_file
from doorsill.drivers.model.interpreter import RUNTIMES, Tensor
from doorsill.errors import ConfigError
from doorsill.evaluation import compare, measure
from doorsill.evaluation.measure import Matches
from doorsill.models import edgetpu, fetch, manifest
from doorsill.models.recognise import MODEL_MAX_BYTES
from doorsill.vision.detect import opening
from doorsill.vision.detect.named import Model, model_named


def _say(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def list_models(_: argparse.Namespace) -> int:
    """Name the models that came with this installation."""
    found = [manifest.load_manifest(path) for path in manifest.manifests()]
    if not found:
        raise ConfigError("this installation holds no models")
    table = Rows("name", "kind", "version", "status", "input", "size")
    for each in found:
        size = len(read_file(each.model_path, MODEL_MAX_BYTES)) // 1000
        shape = f"{each.width}x{each.height}"
        about = each.name, each.kind, each.version, each.status
        table.add_row(*about, shape, f"{size} kB")
    sys.stdout.write(on_page(table))
    return 0


def info_models(args: argparse.Namespace) -> int:
    """Print all that a manifest says."""
    model = model_named(args.model)
    if model.manifest is None:
        return _info_foreign(model, args.delegate)
    m = model.manifest
    _say(f"{m.name} {m.version}, {m.kind}, {m.status}, {m.licence}")
    _say(f"file        {m.file}, sha256 {m.sha256}")
    _say(f"input       {m.width}x{m.height} {m.encoding}, {m.dtype}")
    for out in m.outputs:
        shape = "x".join(map(str, out.shape))
        labels = f": {', '.join(out.labels)}" if out.labels else ""
        if out.bands != out.labels:
            labels += f"; told as {' or '.join(dict.fromkeys(out.bands))}"
        _say(f"output      {out.name} {shape}{labels}")
    if m.decode is not None:
        _say(f"scores      from {m.decode.threshold}, sure from {m.decode.sure}")
    _say(f"trained by  commit {m.training_commit}")
    _say(f"provenance  {m.provenance}")
    if m.kind == "ssd":
        _understood(model, args.delegate)
    return 0


def _info_foreign(model: Model, delegate: str) -> int:
    """What is in a model file of others, and how it would be read."""
    net = model.interpreter(delegate=delegate)
    digest = hashlib.sha256(model.named.read()).hexdigest()
    _say(f"{model.title}, not ours; sha256 {digest}")
    _say(f"input       {_tensor(net.input)}")
    for output in net.outputs():
        _say(f"output      {_tensor(output.tensor)}")
    _understood(model, delegate)
    return 0


def _understood(model: Model, delegate: str = "") -> None:
    foreign = model.foreign(delegate=delegate)
    for each in foreign.words:
        _say(f"read as     {each}")
    for each in foreign.doubts:
        _say(f"in doubt    {each}")


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name} {'x'.join(map(str, tensor.shape))} {tensor.dtype}"


def verify_models(args: argparse.Namespace) -> int:
    """Check hashes and tensors; UntrustedError for the first model that is wrong."""
    names = args.models or [str(path) for path in manifest.manifests()]
    if not names:
        raise ConfigError("this installation holds no models")
    for name in names:
        model = model_named(name)
        if model.manifest is None:
            raise ConfigError(f"{name} has no manifest to be verified against")
        opening.open_model(model.manifest)
        _say(f"{model.title}: sha256, input and outputs are what the manifest says")
    return 0


def bench_models(args: argparse.Namespace) -> int:
    """Measure each model with each runtime that is installed, or on a recording."""
    if args.on is not None:
        return _compare(args)
    if args.line or args.labels or args.json or args.frame_rate:
        raise ConfigError(
            "--line, --labels, --frame-rate and --json need a recording: --on CLIP"
        )
    models = [model_named(name) for name in args.models]
    table = Rows("model", "runtime", "threads", "median ms", "p95 ms")
    for model in models:
        for runtime in _runtimes():
            for count in args.threads or BENCH_THREADS:
                net = model.interpreter(count, runtime, args.delegate)
                median, late = measure.measure_latency(net, args.runs)
                times = f"{median:.2f}", f"{late:.2f}"
                table.add_row(model.title, runtime, str(count), *times)
    sys.stdout.write(on_page(table))
    return 0


def _compare(args: argparse.Namespace) -> int:
    beside = Path(args.on).parent / "labels.json"
    path = args.labels or (beside if beside.exists() else None)
    labels = measure.read_labels(path) if path else None
    if args.labels is None and labels is not None and Path(args.on).name not in labels:
        labels = None  # those of other clips
    models = [model_named(name) for name in args.models]
    threads = args.threads or BENCH_THREADS[:1]
    if len(threads) > 1:
        raise ConfigError("--on CLIP takes one number of threads")
    with progress() as shown:
        task = shown.add_task(f"{len(models)} models on {args.on}", total=None)
        compared = compare.compare(
            models,
            args.on,
            args.line,
            labels,
            lambda at, whole: shown.update(task, completed=at, total=whole),
            threads[0],
            args.delegate,
            args.frame_rate,
        )
    rows = [each.row() for each in compared]
    if args.json:
        sys.stdout.write(write_json({"clip": args.on, "models": rows}))
    else:
        sys.stdout.write(on_page(_comparison(rows)))
    return 0


def _comparison(rows: list[dict[str, Any]]) -> Rows:
    """A column for each model; rows for labels and lines only if there are any."""
    table = Rows("", *(row["model"] for row in rows))

    def add(name: str, shown: Callable[[dict[str, Any]], str]) -> None:
        table.add_row(name, *map(shown, rows))

    add("ms a picture", lambda row: f"{row['ms_median']:.2f}")
    add("ms, 95 of 100 below", lambda row: f"{row['ms_p95']:.2f}")
    add(
        "pictures with people",
        lambda row: f"{row['pictures_with_people']} of {row['pictures']}",
    )
    add("people followed", lambda row: str(row["people"]))
    for kind in ("heads", "persons"):
        if kind in rows[0]:
            add(f"{kind} found", partial(_hits, kind))
            add(f"{kind} that are none", partial(_false, kind))
    for number in range(len(rows[0]["lines"])):
        add(f"line {number + 1}, in and out", partial(_crossed, number))
    return table


def _hits(kind: str, row: dict[str, Any]) -> str:
    score = row[kind]
    return f"{score['hits']} of {score['hits'] + score['missed']}"


def _false(kind: str, row: dict[str, Any]) -> str:
    return str(row[kind]["false"])


def _crossed(number: int, row: dict[str, Any]) -> str:
    line = row["lines"][number]
    return f"{line['in']} and {line['out']}"


def _runtimes() -> list[str]:
    """The runtimes that are installed."""
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
    labels = measure.read_labels(args.labels or args.data / "labels.json")
    frames = sum(len(clip) for clip in labels.values())
    for name in args.models:
        model = model_named(name)
        net = model.detector()
        _say(f"{model.title}, shares with 95 % Wilson intervals")
        with progress() as shown:
            task = shown.add_task(model.title, total=frames)

            def advance(bar: Progress = shown, which: int = int(task)) -> None:
                bar.advance(which)  # type: ignore[arg-type]

            for clip, matches in measure.evaluate(net, labels, args.data, advance):
                _report(clip, matches)
    return 0


def _report(clip: str, matches: Matches) -> None:
    _say(f"  {clip}")
    for name, score in (("heads", matches.heads), ("people", matches.people)):
        if score.recall.total or score.precision.total:
            _say(f"    {name:7} precision {score.precision}")
            _say(f"    {name:7} recall    {score.recall}")
    if matches.empty_frames:
        _say(
            f"    {matches.false_in_empty} boxes in {matches.empty_frames} empty frames"
        )


def fetch_models(args: argparse.Namespace) -> int:
    """Fetch a well-known detector by its pinned hash; without a name, list them."""
    if args.name is None:
        return _list_known()
    wanted = fetch.find_known(args.name)
    if wanted.unverified:
        sys.stderr.write(f"doorsill: {wanted.name}: {wanted.unverified}\n")
    with progress() as shown:
        task = shown.add_task(wanted.name, total=None)
        path = fetch.fetch(
            wanted,
            args.to,
            lambda have, whole: shown.update(task, completed=have, total=whole),
            args.url,
        )
    _say(f"{path}: {wanted.about}; sha256 as pinned")
    _understood(model_named(str(path)))
    return 0


def _list_known() -> int:
    for each in fetch.KNOWN:
        _say(f"{each.name}: {each.about}")
        _say(f"  sha256    {each.sha256}")
        _say(f"  pinned    {fetch.PINNED_BY}")
        _say(f"  verified  {each.figures or 'nothing'}")
        _say(f"  not yet   {each.unverified or fetch.ADDRESS_UNTRIED}")
    return 0


def compile_models(args: argparse.Namespace) -> int:
    """Run the Edge TPU compiler."""
    model = model_named(args.model)
    compiler = edgetpu.find_compiler(args.compiler)
    model.named.read()  # what its manifest says, if it has one
    target = edgetpu.compile_model(model.named.path, model.title, compiler, args.to)
    _say(f"{target}: every operation runs on the Edge TPU")
    return 0
