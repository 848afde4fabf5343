"""``doorsill count``: count in recordings, as fast as the machine can."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.progress import Progress, TaskID, TextColumn

from doorsill.cli.count_files import new_file
from doorsill.cli.count_results import (
    Result,
    as_csv,
    as_json,
    short,
    write_json,
    write_tables,
)
from doorsill.cli.count_wanted import Places, hours_of, places_of, unheeded
from doorsill.commandline.ending import drop_output
from doorsill.commandline.progress import progress
from doorsill.config import ModelSection
from doorsill.documents.files import require_apart, require_new
from doorsill.drivers.camera.camera import Camera
from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.png import png_bytes
from doorsill.errors import CameraError, ConfigError
from doorsill.evaluation.counting import Counted, Wanted, count, duration, nothing
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
    model = {
        "name": args.model,
        "sha256": hashlib.sha256(find(args.model).read()).hexdigest(),
    }
    with contextlib.ExitStack() as files:
        plot = files.enter_context(new_file(args.save_plot))
        table = files.enter_context(new_file(args.csv))
        detector = open_detector(section)
        _try_each(detector, args)
        results = list(_each(detector, places, args))
        unwritten = []
        if plot is not None:
            unwritten.append(plot.write(_drawing(args.save_plot, results[0], places)))
        if table is not None:
            # A name that is no UTF-8 is written in its own bytes.
            rows = as_csv(results, places).encode("utf-8", "surrogateescape")
            unwritten.append(table.write(rows))
    text = (
        write_json(as_json(results, places, model))
        if args.json
        else write_tables(results, places)
    )
    _deliver(text, short(results, places))
    for each in results:
        if each.until:
            sys.stderr.write(f"doorsill: {each.source}: {each.until}\n")
    if any(unwritten):
        raise ConfigError(*filter(None, unwritten))
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
    if len(written) == 2 and written[0].resolve() == written[1].resolve():
        raise ConfigError(f"{args.csv} is --save-plot and --csv; give two names")


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
    """Count each recording in turn; none after an interruption.

    Of several, one that gives nothing costs no count of the others.
    """
    begun = False
    with progress(TextColumn("{task.fields[people]}")) as shown:
        for source in args.source:
            bar = _Bar.of(shown, source)
            try:
                result = _one(source, detector, places, args, bar)
            except (CameraError, ConfigError, KeyboardInterrupt) as error:
                wanted = not isinstance(error, KeyboardInterrupt)
                if not begun and not (wanted and len(args.source) > 1):
                    raise
                result = Result(source, None, nothing(len(places.lines), error))
            begun = True
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
        title = f"counting {shown_name(source)}"
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
        counted = count(camera, detector, wanted, bar.show)
        return Result(source, length, counted, unheeded(places.policy, args.starts))
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

    title = f"Tracks of {shown_name(result.source)}, and counting lines"
    return draw_svg(plot, places.lines, places.line_names, aspect, title).encode()


def shown_name(source: str) -> str:
    """The last part of a path, in characters that can be shown."""
    return "".join(c if c.isprintable() else "\ufffd" for c in Path(source).name)


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
