"""``make data``: pinned, bounded, and nothing that is there is replaced."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from data import SHARED, WANTED, Wanted, bring
from limits import END_S

CLIP = b"a clip"


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/clip" else 404)
        self.end_headers()
        self.wfile.write(CLIP)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(END_S)
    server.server_close()


def wanted(url: str, data: bytes = CLIP) -> Wanted:
    return Wanted("clips/a.mp4", hashlib.sha256(data).hexdigest(), url, "CC BY 4.0")


def test_a_file_is_fetched_and_looked_at_the_second_time(
    address: str, tmp_path: Path
) -> None:
    each = wanted(f"{address}/clip")
    assert bring(each, tmp_path) == "fetched; CC BY 4.0"
    assert (tmp_path / "clips/a.mp4").read_bytes() == CLIP
    assert bring(each, tmp_path) == "there"
    assert [p.name for p in (tmp_path / "clips").iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        pytest.param("/clip", b"another", "WRONG: http", id="another hash"),
        pytest.param("/none", CLIP, "did not come: Not Found", id="not there"),
    ],
)
def test_what_is_not_what_was_pinned_is_not_written(
    path: str, data: bytes, says: str, address: str, tmp_path: Path
) -> None:
    assert bring(wanted(address + path, data), tmp_path).startswith(says)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    assert bring(wanted("http://127.0.0.1:1/clip"), tmp_path).startswith("did not come")
    assert bring(wanted(""), tmp_path) == "nowhere public by itself: CC BY 4.0"


def test_another_file_of_that_name_is_left_alone(address: str, tmp_path: Path) -> None:
    mine = tmp_path / "clips" / "a.mp4"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert "move it away" in bring(wanted(f"{address}/clip"), tmp_path)
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize("each", WANTED, ids=[each.path for each in WANTED])
def test_the_hashes_are_those_of_the_files_that_the_tests_use(each: Wanted) -> None:
    if not (SHARED / each.path).exists():
        pytest.skip(f"{each.path} is not in the shared data; see `make data`")
    assert bring(each, SHARED) == "there"
