"""``doorsill count``: count in recordings, as fast as the machine can."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from doorsill.cli.count_results import (
    Result,
    as_csv,
    as_json,
    short,
    write_json,
    write_tables,
)
from doorsill.cli.count_wanted import Places, hours_of, places_of
from doorsill.commandline.ending import drop_output
from doorsill.config import ModelSection
from doorsill.documents.files import require_apart, require_new
from doorsill.drivers.camera.camera import Camera
from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.png import png_bytes
from doorsill.errors import ConfigError
from doorsill.evaluation.counting import Counted, Wanted, count, duration
from doorsill.models.named import find
from doorsill.services.detectors import open_detector
from doorsill.vision.detect.detector import Detector

INTERRUPTED = 130  # exit code of a count that a signal ended
DAMAGED = 4  # exit code of a count that a damaged recording ended
PLOTS = (".svg", ".png")


def run(args: argparse.Namespace) -> int:
    """Count, and say what was counted."""
    _require_plot(args)
    _require_room(args)
    places = places_of(args)
    section = ModelSection(
        detector=args.model,
        runtime=args.runtime,
        threads=args.threads,
        delegate=args.delegate,
    )
    with contextlib.ExitStack() as files:
        plot = files.enter_context(_replacing(args.save_plot))
        table = files.enter_context(_replacing(args.csv))
        detector = open_detector(section)
        _try_each(detector, args)
        results = list(_each(detector, places, args))
        if plot is not None:
            plot.write_bytes(_drawing(args.save_plot, results[0], places))
        if table is not None:
            table.write_text(as_csv(results, places), encoding="utf-8")
    model = {
        "name": args.model,
        "sha256": hashlib.sha256(find(args.model).read()).hexdigest(),
    }
    text = (
        write_json(as_json(results, places, model))
        if args.json
        else write_tables(results, places)
    )
    _deliver(text, short(results, places))
    for each in results:
        if each.until:
            sys.stderr.write(f"doorsill: {each.source}: {each.until}\n")
    return _exit_code(results)


def _require_plot(args: argparse.Namespace) -> None:
    if args.save_plot is None:
        return
    if args.save_plot.suffix.lower() not in PLOTS:
        raise ConfigError(
            f"--save-plot {args.save_plot}: only .svg and .png can be written"
        )
    if len(args.source) > 1:
        raise ConfigError("--save-plot draws one recording; several were given")


def _require_room(args: argparse.Namespace) -> None:
    """ConfigError, before the work, if a file would be overwritten."""
    written = [each for each in (args.save_plot, args.csv) if each is not None]
    read = [Path(each) for each in args.source] + [args.policy or Path(args.model)]
    for each in written:
        require_apart(each, read)
        require_new(each, force=args.force)
    if len(written) == 2 and written[0].absolute() == written[1].absolute():
        raise ConfigError(f"{args.csv} is --save-plot and --csv; give two names")


@contextlib.contextmanager
def _replacing(path: Path | None) -> Iterator[Path | None]:
    """A file beside ``path``, opened before the work and moved to it at the end.

    Raises ConfigError at once if nothing can be written there.
    """
    if path is None:
        yield None
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    os.close(handle)
    made = Path(name)
    try:
        yield made
        made.chmod(0o644)
        made.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    finally:
        made.unlink(missing_ok=True)


def _try_each(detector: Detector, args: argparse.Namespace) -> None:
    """Open each of several recordings first, so that a bad one costs no count."""
    for source in args.source if len(args.source) > 1 else ():
        _open(source, detector, args).close()


def _open(source: str, detector: Detector, args: argparse.Namespace) -> Camera:
    return open_camera(
        "video", source, detector.fit, declared_rate=args.frame_rate, live=False
    )


def _each(
    detector: Detector, places: Places, args: argparse.Namespace
) -> Iterator[Result]:
    """Count each recording in turn; none after an interruption."""
    with _progress() as progress:
        for source in args.source:
            bar = _Bar.of(progress, source)
            result = _one(source, detector, places, args, bar)
            yield result
            if isinstance(result.counted.stopped, KeyboardInterrupt):
                return


@dataclass(frozen=True, slots=True)
class _Bar:
    """One line of progress: that of one recording."""

    progress: Progress
    task: TaskID

    @classmethod
    def of(cls, progress: Progress, source: str) -> Self:
        """A new line below those that are there."""
        title = f"counting {Path(source).name}"
        return cls(progress, progress.add_task(title, total=None, people=""))

    def end_at(self, seconds: float | None) -> None:
        """Set how long the recording is; None where it is not known."""
        self.progress.update(self.task, total=seconds)

    def show(self, counted: Counted) -> None:
        """Show how far it is, and who was counted so far."""
        people = _people(counted)
        self.progress.update(self.task, completed=counted.reached, people=people)


def _one(
    source: str,
    detector: Detector,
    places: Places,
    args: argparse.Namespace,
    bar: _Bar,
) -> Result:
    camera = _open(source, detector, args)
    wanted = Wanted(
        places.lines,
        places.zones,
        places.exclude,
        hours_of(places.policy, args.starts),
        args.seconds,
        args.every_frame,
        args.save_plot is not None,
    )
    try:
        length = duration(camera)
        bar.end_at(args.seconds or length)
        return Result(source, length, count(camera, detector, wanted, bar.show))
    finally:
        camera.close()


def _drawing(path: Path, result: Result, places: Places) -> bytes:
    plot, aspect = result.counted.plot, result.counted.aspect
    assert plot is not None  # noqa: S101 - made when asked for
    if path.suffix.lower() == ".png":
        return png_bytes(plot.draw(places.lines, aspect))
    from doorsill.evaluation.plot_svg import (
        draw_svg,  # and all names of HTML, for those who draw
    )

    title = f"Tracks of {Path(result.source).name}, and counting lines"
    return draw_svg(plot, places.lines, places.line_names, aspect, title).encode()


def _deliver(text: str, in_short: str) -> None:
    """Print the result; if that fails, the error contains it."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise ConfigError(
            f"standard output cannot be written ({error.strerror}); the result: "
            f"{in_short}"
        ) from None


def _exit_code(results: Sequence[Result]) -> int:
    stopped = [each.counted.stopped for each in results if each.counted.stopped]
    if any(isinstance(each, KeyboardInterrupt) for each in stopped):
        return INTERRUPTED
    return DAMAGED if stopped else 0


def _people(counted: Counted) -> str:
    return "  ".join(f"in {each[0]} out {each[1]}" for each in counted.lines)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[people]}"),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
