"""What a file is that was given as a TFLite model, but is none."""

from __future__ import annotations

MODEL_MAX_BYTES = 64 << 20  # of a model file, ours or another's
LINES = (
    (
        b"PK\x03\x04",
        "a zip archive, as .keras, .pt and .task files are: unpack it, or"
        " export the model as TFLite",
    ),
    (b"\x89HDF", "a Keras model (HDF5): export it as TFLite"),
    (b"\x1f\x8b", "packed with gzip: unpack it first"),
    (b"\x80\x02", "a Python pickle, as PyTorch writes: export it as TFLite"),
    (b"RKNN", "compiled for a Rockchip NPU"),
    (b"\x01HEF", "compiled for a Hailo"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS in place of the file: fetch it with git lfs pull",
    ),
    (b"\x7fELF", "a program or a library"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"<?xml", "XML, as OpenVINO writes: export the model as TFLite"),
    (b"{", "JSON"),
    (b"[model]", "a manifest: its name ends in .toml"),
)
PAGE = (b"<!doctype", b"<html", b"<head")


def recognise(data: bytes) -> str:
    """A few words for what ``data`` seems to be; how it begins where nothing fits."""
    if not data:
        return "an empty file"
    if not data.strip(b"\0"):
        return f"{len(data)} bytes of zeros"
    start = data[:256].lstrip()
    if start.lower().startswith(PAGE):
        return "a web page: the download gave an error, or wants a login"
    for magic, words in LINES:
        if start.startswith(magic):
            return words
    if b"onnx" in data[:4096] or b"pytorch" in data[:256] or b"tf2onnx" in data[:256]:
        return "an ONNX model: export it as TFLite"
    if b"saved_model" in data[:4096] or b"\x12\x07Graph" in data[:4096]:
        return "a TensorFlow graph: export it as TFLite"
    if data[4:8].startswith(b"TFL"):
        return f"a TensorFlow Lite file of another version ({data[4:8]!r})"
    return f"something else: it begins with {data[:8]!r}"
