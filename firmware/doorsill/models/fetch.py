"""Fetch well-known detectors by pinned address and SHA-256.

A download that was stopped goes on where it was. Nothing is used before its hash is
right: the bytes are collected in ``FILE.part`` and get their name only then.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from doorsill.documents.files import require_new
from doorsill.documents.folders import make_folder
from doorsill.errors import ConfigError, UntrustedError, UplinkError
from doorsill.models.recognise import MODEL_MAX_BYTES

CHUNK = 64 << 10  # bytes that are read at once
TIMEOUT_S = 30  # the server may be silent for this long
ASSETS = "https://storage.googleapis.com/mediapipe-assets/"
PINNED_BY = "MediaPipe's build, third_party/external_files.bzl"
# This holds for every file here: we have no way to that server.
ADDRESS_UNTRIED = "the address itself: the bytes came to us by another way"


@dataclass(frozen=True, slots=True)
class Known:
    """A detector of the field, Apache-2.0, that works by path without any code.

    ``figures`` were measured with exactly the bytes of the hash; ``unverified`` says
    what was not verified here. ``person`` is the column of people, where the file does
    not say it: a manifest is then written beside it.
    """

    name: str
    url: str
    sha256: str
    about: str
    figures: str = ""
    unverified: str = ""
    person: int | None = None
    takes: tuple[int, int, str] = (
        0,
        0,
        "",
    )  # width, height (pixels), type of the input

    @property
    def file(self) -> str:
        """What it is called on disk."""
        return f"{self.name}.tflite"


# Addresses and hashes as PINNED_BY says.
KNOWN = (
    Known(
        "ssd-mobilenet-v1",
        f"{ASSETS}coco_ssd_mobilenet_v1_1.0_quant_2018_06_29_no_metadata.tflite"
        "?generation=1677522735292070",
        "e4b118e5e4531945de2e659742c7c590f7536f8d0ed26d135abcfe83b4779d13",
        "SSD MobileNet v1, 300 x 300, uint8, COCO; TensorFlow, Apache-2.0",
        "the hash, 4,183,312 bytes; finished; 0 in, 6 out on the one-by-one clip, as"
        " it is right",
    ),
    Known(
        "ssd-mobilenet-v2-oidv4",
        f"{ASSETS}object_detection_ssd_mobilenetv2_oidv4_fp16.tflite"
        "?generation=1661875879063676",
        "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6",
        "SSD MobileNet v2, 300 x 300, float, 23 kinds of Open Images; MediaPipe,"
        " Apache-2.0",
        "the hash, 9,987,728 bytes, as npm's @mediapipe/objectron 0.4.1675468480 packs"
        " them; raw; 0 in, 6 out on the one-by-one clip, as it is right",
        person=4,
        takes=(300, 300, "float32"),
    ),
    Known(
        "efficientdet-lite0",
        f"{ASSETS}coco_efficientdet_lite0_v1_1.0_quant_2021_09_06.tflite"
        "?generation=1661875692679200",
        "dee1b4af055a644804d5594442300ecc9e4f7080c25b7c044c98f527eeabb6cf",
        "EfficientDet-Lite0, 320 x 320, uint8, COCO; TensorFlow, Apache-2.0",
        unverified="nobody here has seen its bytes: not its hash, not how it is read,"
        " not what it counts",
    ),
)


def find_known(name: str) -> Known:
    """A detector by its name; raises ConfigError where it is not known."""
    for each in KNOWN:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in KNOWN)
    raise ConfigError(f"{name} cannot be fetched; known: {names}")


def fetch(
    wanted: Known, folder: Path, on_bytes: Callable[[int, int], None], url: str = ""
) -> Path:
    """Fetch into ``folder`` and return what to name as the model.

    ``on_bytes`` gets how many bytes there are so far, and in all. Raises UplinkError
    where they did not come in full, UntrustedError where their hash is wrong,
    ConfigError where another file is in the way.
    """
    target = folder / wanted.file
    if target.is_file() and _sha256(target) == wanted.sha256:
        return _with_manifest(wanted, target)
    if target.exists():
        raise ConfigError(
            f"{target} exists and is not {wanted.name}; remove it, or give another --to"
        )
    make_folder(folder)
    part = target.with_suffix(".part")
    try:
        _download(url or wanted.url, part, on_bytes)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UplinkError(
            f"{wanted.name} did not come in full ({reason or type(error).__name__}); "
            "the same command goes on"
        ) from None
    if not part.exists():
        raise UplinkError(f"{wanted.name} did not come: the server has nothing to give")
    found = _sha256(part)
    if found != wanted.sha256:
        part.unlink()
        raise UntrustedError(
            f"{wanted.name} has sha256 {found}, {wanted.sha256} was expected; removed"
        )
    part.replace(target)
    return _with_manifest(wanted, target)


MANIFEST = """\
[model]
name = "{name}"
version = "1.0.0"
kind = "ssd"
file = "{file}"
sha256 = "{sha256}"
status = "experimental"
licence = "Apache-2.0"
training_commit = "none"
provenance = "{about}"

[input]
width = {width}
height = {height}
encoding = "rgb"
dtype = "{dtype}"

[ssd]
person = {person}
"""


def _with_manifest(wanted: Known, target: Path) -> Path:
    """The file; or its manifest, written where the file does not say enough."""
    if wanted.person is None:
        return target
    width, height, dtype = wanted.takes
    path = target.with_suffix(".toml")
    text = MANIFEST.format(
        name=wanted.name,
        file=wanted.file,
        sha256=wanted.sha256,
        about=wanted.about,
        width=width,
        height=height,
        dtype=dtype,
        person=wanted.person,
    )
    if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != text:
        require_new(path)
        path.write_text(text, encoding="utf-8")
    return path


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect as usual; a failed one leaves no socket open."""

    def http_error_302(  # type: ignore[no-untyped-def]
        self, req, fp, code, msg, headers
    ) -> Any:
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except BaseException:  # an address that cannot be read, a line that is cut
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _download(url: str, part: Path, on_bytes: Callable[[int, int], None]) -> None:
    """Append what is missing; a server that cannot do that sends all again."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url)  # noqa: S310 (pinned, and hashed after)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.build_opener(_Redirects).open(
            request, timeout=TIMEOUT_S
        )
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer as well, with its socket
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the hash decides
        raise
    with answer:
        goes_on = answer.status == HTTPStatus.PARTIAL_CONTENT
        have = have if goes_on else 0
        whole = have + _length(answer.headers.get("Content-Length"))
        with part.open("ab" if goes_on else "wb") as out:
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                have += len(chunk)
                on_bytes(have, whole)
                if have > MODEL_MAX_BYTES:
                    raise OSError(f"more than {MODEL_MAX_BYTES} bytes")
            out.flush()
            os.fsync(out.fileno())
    if have < whole:
        raise OSError(f"{have} of {whole} bytes came")


def _length(said: str | None) -> int:
    """The length that a server declares; 0 where it declares none that is possible."""
    right = said is not None and said.isascii() and said.isdecimal()
    return min(int(said), MODEL_MAX_BYTES) if said and right and len(said) < 16 else 0


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
