"""Fetch the public recordings that some tests want: ``make data``.

Each file has a pinned SHA-256; what is there already is looked at and never replaced.
What is nowhere public by itself is named, with what would make it again.
"""

from __future__ import annotations

import hashlib
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from places import SHARED

MOST_BYTES = 64 << 20
TIMEOUT_S = 30.0  # for the server to say something
VIDEOS = "https://raw.githubusercontent.com/intel-iot-devkit/sample-videos/"
PREVIEWS = f"{VIDEOS}45fcafeabd18f0762006fb3bc7068ddbc5426575/preview/"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the data folder; an empty ``url``: it is nowhere public by itself."""

    path: str
    sha256: str
    url: str
    about: str  # licence and source, or what would make it again


# The hashes are those of the files that the tests were written with; the addresses are
# pinned to a commit where there is one.
WANTED = (
    Wanted(
        "clips/one-by-one-person-detection.mp4",
        "a5964aa259099a482a8b360ffc2c57b5a30f84d5919236a4dad01f8e929ac07c",
        f"{VIDEOS}294517a8d149759972f9a0501accde274e469ba5/"
        "one-by-one-person-detection.mp4",
        "CC BY 4.0, Intel IoT DevKit",
    ),
    Wanted(
        "clips/car-detection.mp4",
        "d31e0ebf194cc16e50eea784e7c3b0b1bb7976a4fb9b3fec26cb92a6704cca34",
        f"{VIDEOS}e9ab59cac368a61f7741a2373d7e79607c2f5e44/car-detection.mp4",
        "CC BY 4.0, Intel IoT DevKit",
    ),
    Wanted(
        "clips/store-aisle-detection.gif",
        "8f29af471b7df06c4eda38b72c22a86ee4779dfeff91c750b4f8087441ddb4d3",
        f"{VIDEOS}7329c0a6ee0afba4ceeef37bc0dc8bd7fbfdec79/preview/"
        "store-aisle-detection.gif",
        "CC BY 4.0, Intel IoT DevKit",
    ),
    Wanted(
        "clips/face-demographics-walking-and-pause.gif",
        "6483ce22b1228ecc48f89b591cb99c09ba24e1468bdda5fbfebaae9bcca59dc8",
        f"{PREVIEWS}face-demographics-walking-and-pause.gif",
        "CC BY 4.0, Intel IoT DevKit",
    ),
    Wanted(
        "models/ssd_mobilenet_v1_coco_uint8.tflite",
        "e4b118e5e4531945de2e659742c7c590f7536f8d0ed26d135abcfe83b4779d13",
        "https://storage.googleapis.com/mediapipe-assets/"
        "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29_no_metadata.tflite"
        "?generation=1677522735292070",
        "Apache-2.0, TensorFlow; as `doorsill models fetch ssd-mobilenet-v1` has it",
    ),
    Wanted(
        "images/grace_hopper.bmp",
        "c43444bf3b1b1e3080551ca194bd231da4b67f20fc91454502915a6b806b614f",
        "",
        "public domain, US Navy; TensorFlow has it among the examples of label_image",
    ),
    Wanted(
        "clips/one-by-one-person-detection.truth.json",
        "3de9e2200b408c03bf71aef05c1d0911d62eaa0bfee84c14a872a9b0f4e47d3f",
        "",
        "our own count of that clip, by hand",
    ),
    Wanted(
        "makehuman/makehuman-cc0.tar.xz",
        "9ed02ce77fad359e2ee0d97ce9ed39f8d6c165db9086717c134bc460053446f9",
        "",
        "CC0; packed from makehumancommunity/makehuman at a8bc2d54 (makehuman/data) "
        "and makehuman-assets at 8cf9645b (base/clothes, base/hair)",
    ),
)


def bring(each: Wanted, folder: Path) -> str:
    """``there``, ``fetched``, or why not; a file that is there is never replaced."""
    path = folder / each.path
    if path.exists():
        right = hashlib.sha256(path.read_bytes()).hexdigest() == each.sha256
        return "there" if right else "WRONG: it is another file; move it away"
    if not each.url:
        return f"nowhere public by itself: {each.about}"
    try:
        with urllib.request.urlopen(each.url, timeout=TIMEOUT_S) as answer:  # noqa: S310
            data = answer.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        return f"did not come: {getattr(error, 'reason', None) or error}"
    found = hashlib.sha256(data).hexdigest()
    if found != each.sha256:
        return f"WRONG: {each.url} gives SHA-256 {found}; nothing was written"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
    return f"fetched; {each.about}"


def lines(folder: Path) -> Iterator[tuple[str, bool]]:
    """What became of each file, and whether it lies there now."""
    for each in WANTED:
        said = bring(each, folder)
        yield f"{each.path}: {said}", said.startswith(("there", "fetched"))


def main() -> int:
    """Print a line for each; 1 where one that has an address did not come."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else SHARED
    found = list(lines(folder))
    sys.stdout.write("".join(f"{line}\n" for line, _ in found))
    has = sum(lies for _, lies in found)
    sys.stdout.write(
        f"{has} of {len(found)} in {folder}; tests that want another one skip\n"
    )
    came = zip(WANTED, found, strict=True)
    return int(any(each.url and not lies for each, (_, lies) in came))


if __name__ == "__main__":
    sys.exit(main())
