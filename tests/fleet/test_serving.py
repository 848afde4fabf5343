"""The server as a process: who takes places, says nothing, or says what is no HTTP.

Attackers come from another address of the loopback than cameras, as they would.
"""

from __future__ import annotations

import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from fleets import EST, FleetWorld, fleet_world, new_key, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits import END_S

from doorsill_fleet.enrolment import limits
from doorsill_fleet.enrolment.limits import BODY_BYTES

STRANGER = "127.0.0.9"
HALF = b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
LONG = HALF + b"Content-Length: 1073741824\r\n\r\n"
CHUNKED = HALF + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "serve.log"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, log: Path) -> Iterator[FleetWorld]:
    """One process for all attacks; at the end its log must hold no traceback."""
    with (
        fleet_world(tmp_path_factory.mktemp("fleet")) as world,
        world.serving_apart(log) as child,
    ):
        yield world
        assert child.poll() is None
        assert "Traceback" not in log.read_text()


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """This process is all attackers at once."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(12_000, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def camera_enrols(fleet: FleetWorld) -> None:
    made = fleet.add()[0]
    body = request(made.serial, new_key())
    assert fleet.enrol(made.serial, made.secret, body)[0] == 200


def plain(fleet: FleetWorld, exits: ExitStack, source: str = STRANGER) -> socket.socket:
    place = ("127.0.0.1", fleet.chain.places.port)
    found = socket.create_connection(place, END_S, source_address=(source, 0))
    exits.callback(found.close)
    return found


def spoken(
    fleet: FleetWorld, exits: ExitStack, source: str = STRANGER
) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(fleet.chain.folder / "ca.pem"))
    found = plain(fleet, exits, source)
    made = context.wrap_socket(found, server_hostname="localhost")
    exits.callback(made.close)
    return made


def silent(fleet: FleetWorld, exits: ExitStack) -> None:
    plain(fleet, exits)


def hello(fleet: FleetWorld, exits: ExitStack) -> None:
    plain(fleet, exits).send(b"\x16\x03\x01\x02\x00\x01\x00")


def speechless(fleet: FleetWorld, exits: ExitStack) -> None:
    spoken(fleet, exits)


def half_a_header(fleet: FleetWorld, exits: ExitStack) -> None:
    spoken(fleet, exits).send(HALF)


def no_body(fleet: FleetWorld, exits: ExitStack) -> None:
    spoken(fleet, exits).send(LONG)


@pytest.mark.parametrize(
    ("take", "many"),
    [
        pytest.param(silent, 10_000, id="10,000 connections"),
        pytest.param(hello, 1200, id="half a handshake"),
        pytest.param(speechless, 300, id="no request"),
        pytest.param(half_a_header, 300, id="half a header"),
        pytest.param(no_body, 300, id="no body"),
    ],
)
def test_who_takes_places_keeps_no_camera_out(
    fleet: FleetWorld, take: Callable[[FleetWorld, ExitStack], None], many: int
) -> None:
    with ExitStack() as exits:
        for _ in range(many):
            with suppress(OSError):  # the server may have had enough
                take(fleet, exits)
        camera_enrols(fleet)


def test_many_addresses_take_every_place_and_cameras_still_come_in(
    fleet: FleetWorld,
) -> None:
    with ExitStack() as exits:
        for number in range(limits.INSIDE_MOST + 200):
            with suppress(OSError):
                plain(fleet, exits, f"127.0.1.{1 + number % 20}")
        for _ in range(3):
            camera_enrols(fleet)


@pytest.mark.parametrize(
    "words", [b"", HALF, LONG, LONG + b"x"], ids=["none", "head", "body", "a byte"]
)
def test_a_connection_ends_with_its_time_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: bytes
) -> None:
    monkeypatch.setattr(limits, "INSIDE_S", 0.5)
    with fleet_world(tmp_path) as world, world.serving(), ExitStack() as exits:
        ends = time.monotonic() + limits.BODY_S
        for found in (plain(world, exits), spoken(world, exits)):
            with suppress(OSError):
                if isinstance(found, ssl.SSLSocket):
                    found.send(words)
                assert found.recv(1) == b""
        assert time.monotonic() < ends
        camera_enrols(world)


def answer_to(
    fleet: FleetWorld, words: bytes, then: bytes = b"", times: int = 0
) -> str:
    """The first line of the answer, while ``then`` is sent over and over again."""
    with ExitStack() as exits:
        found = spoken(fleet, exits, "127.0.0.1")
        with suppress(OSError):  # it need not read what it will not take
            found.sendall(words)
            for _ in range(times):
                found.sendall(then)
        said = b""
        while b"\r\n\r\n" not in said or said.endswith(b"\r\n\r\n"):
            if not (more := found.recv(4096)):
                break
            said += more
        return said.decode("ascii", "replace")


@pytest.mark.parametrize(
    ("words", "then", "says"),
    [
        pytest.param(LONG, bytes(4096), f"over {BODY_BYTES} bytes", id="1 GB"),
        pytest.param(
            CHUNKED, b"1000\r\n" + bytes(4096) + b"\r\n", f"over {BODY_BYTES} bytes",
            id="chunks without end",
        ),
        pytest.param(CHUNKED + b"zz\r\n", b"", "Invalid HTTP", id="no chunk"),
        pytest.param(
            HALF + b"X: " + b"x" * 20_000, b"x" * 4096, "Invalid HTTP",
            id="a header of 20 kB",
        ),
        pytest.param(HALF + b"X: 1\r\n" * 9000, b"", "Invalid HTTP", id="9,000"),
        pytest.param(b"\x00\xff\r\n\r\n", b"", "Invalid HTTP", id="no HTTP"),
        pytest.param(
            HALF + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", b"",
            "Invalid HTTP", id="two lengths",
        ),
    ],
)  # fmt: skip
def test_what_is_too_long_or_no_http_is_answered_and_ends(
    fleet: FleetWorld, words: bytes, then: bytes, says: str
) -> None:
    said = answer_to(fleet, words, then, 8)
    assert says in said and said.startswith("HTTP/1.1 400")
    camera_enrols(fleet)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", f"{EST}/simpleenroll", 405, id="wrong method"),
        pytest.param("PUT", f"{EST}/cacerts", 405, id="nothing is put"),
        pytest.param("BREW", "/doorsill/start", 405, id="no method at all"),
        pytest.param("GET", f"{EST}/../../issuing.key", 404, id="a way up"),
        pytest.param("GET", "/%2e%2e/%2e%2e/issuing.key", 404, id="a way up, written"),
        pytest.param("GET", "//issuing.key", 404, id="two slashes"),
        pytest.param("GET", "/\\issuing.key", 404, id="the other slash"),
        pytest.param("GET", f"{EST}/cacerts%00.key", 404, id="a zero byte"),
        pytest.param("POST", f"{EST}/serverkeygen", 404, id="what EST can and we not"),
    ],
)
def test_what_is_not_here_is_no_way_in(
    fleet: FleetWorld, method: str, path: str, status: int
) -> None:
    found, said = fleet.ask(method, path)
    assert found == status and b"PRIVATE" not in said


def test_a_body_that_says_that_it_is_something_else_is_refused(
    tmp_path: Path,
) -> None:
    with fleet_world(tmp_path) as world, world.serving():
        kind = {"Content-Type": "application/json"}
        status, said = world.ask("POST", f"{EST}/simpleenroll", b"{}", kind)
        assert status == 415
        assert said == (
            b"Content-Type is 'application/json' and must be application/pkcs10"
        )


def test_a_file_of_ours_that_is_gone_is_a_sentence_and_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with fleet_world(tmp_path) as world, world.serving():
        (world.chain.folder / "root.pem").rename(tmp_path / "away")
        (world.chain.folder / "root.pem").mkdir()
        status, said = world.ask("GET", f"{EST}/cacerts")
    assert status >= 400 and b"root.pem" in said
    assert "Traceback" not in caplog.text


HEADERS = st.sampled_from(
    [
        b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 1e9",
        b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"Upgrade: websocket",
        b"Connection: upgrade", b"Connection: close", b"Host: a", b"Host: b",
        b"Authorization: Basic OjpiOg==", b"Content-Type: \xff", b"Doorsill-Proof: ,",
        b"Doorsill-Certificate: 00", b" folded", b":",
    ]
)  # fmt: skip
LINES = st.sampled_from(
    [
        b"POST /.well-known/est/simpleenroll HTTP/1.1", b"GET / HTTP/1.0",
        b"POST /doorsill/start HTTP/1.1", b"POST * HTTP/1.1", b"PRI * HTTP/2.0",
        b"GET /.well-known/est/cacerts?a=\xc3 HTTP/1.1", b"GET http://x/ HTTP/1.1",
        b"CONNECT a:1 HTTP/1.1", b"get",
        b"POST /.well-known/est/simplereenroll HTTP/1.1",
    ]
)  # fmt: skip


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(LINES, st.lists(HEADERS, max_size=6), st.binary(max_size=60))
def test_whatever_is_sent_the_server_goes_on_and_its_log_holds_no_traceback(
    fleet: FleetWorld, log: Path, line: bytes, headers: list[bytes], body: bytes
) -> None:
    with ExitStack() as exits:
        found = spoken(fleet, exits, "127.0.0.8")
        found.settimeout(0.2)
        with suppress(OSError):
            found.sendall(b"\r\n".join([line, *headers, b"", body]))
            found.recv(4096)
    assert "Traceback" not in log.read_text()
