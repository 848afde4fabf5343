"""After the card has gone, the picture is nowhere: files, medium, memory, wire, core.

Two whole processes, the product's: vision with its camera driver, detector, tracker
and hand-over, and the vault with the real card stack. Ours are the lens and the hand
with the card. Each search has a control: the same with a build that leaks there, which
must be found.
"""

import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import canary
import numpy as np
import pytest
from children import first_line, started
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from limits import END_S
from places import WORLDS
from vault_process import VaultProcess

from doorsill.channels.control import ask
from doorsill.drivers.token.piv_card import SEALING
from doorsill.services.children import WIPING
from doorsill.vault import export
from doorsill.vault.sealing import WRAP_INFO

KEY = 20261123
PICTURE = 240 * 320 * 3  # bytes
MARKED_S, EMPTY_S = 10, 30  # of a recording
GONE_S = 30.0  # far above what it takes for other pictures to replace the canary
KEPT_S = 2.0  # after which what is still there is kept

# Root may read the memory of a process that is not dumpable. Without root the process
# under test must let itself be read (1 is PR_SET_PDEATHSIG, which 0 leaves as it is).
READABLE = (
    "pass"
    if os.geteuid() == 0
    else "import doorsill.process.hardening as h; h.PR_SET_DUMPABLE = 1"
)
KEEPS = (
    "import doorsill.vault.sealing as S; seal = S.DataKey.seal; "
    "kept = []; size_of = lambda context: "
    "tuple(map(int, context.split(b'|')[1].split(b'x'))); "
)
TAKES = (
    "; S.DataKey.seal = lambda self, plain, context: "
    "(leak(bytes(plain), size_of(context)), seal(self, plain, context))[1]"
)
UNCONFINED = (
    "import doorsill.process.confine as c; c.landlock.restrict = lambda *_: 0; "
    "c.ROOMS = dict.fromkeys(c.ROOMS, c.Room.NEVER); "
)
CORES = UNCONFINED + (
    "import resource, doorsill.process.hardening as h; h.PR_SET_DUMPABLE = 1; "
    "resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)); "
    "resource.setrlimit = lambda *_: None; "
)
LEAKS = {
    "memory": f"{KEEPS} leak = lambda plain, _: kept.append(plain){TAKES}; "
    "fill = S.LockedMemory.fill_random; S.LockedMemory.fill_random = lambda self: "
    "(fill(self), kept.append(bytes(self.view)))[0]",
    "files": f"{KEEPS} from PIL import Image; path = sys.argv[1]; leak = lambda plain, "
    "size: (open(path + '.raw', 'ab').write(plain), Image.frombytes('RGB', size, plain)"
    ".save(open(path + '.jpg', 'ab'), 'JPEG', quality=90), "
    f"sys.stderr.buffer.write(plain)){TAKES}",
    "medium": "import doorsill.vault.sealing as S, doorsill.drivers.media.disk as D; "
    "S.DataKey.seal = lambda self, plain, context: bytes(plain); "
    "D.DiskMedium.blank = lambda self: ('overwritten',)",
}
FOUND = {
    "memory": {"RGB", "data key"},
    "files": {
        "RGB in doorsill.toml.raw",
        "JPEG 90 in doorsill.toml.jpg",
        "RGB in vault.log",
    },
    "medium": {"RGB in medium"},
}


class Scene:
    """A vault, a vision process, and the lens that the test holds something before."""

    def __init__(
        self, vault: VaultProcess, lens: int, platform: str = "PISP", leak: str = ""
    ) -> None:
        self.vault, self._lens, self._how = vault, lens, (platform, leak)
        self._buffer = mmap.mmap(lens, PICTURE + 1)
        self._vision: subprocess.Popen[bytes] | None = None
        self.show(None)
        picture = canary.frame(KEY)
        self.wanted = canary.needles(picture)
        if platform == "VC4":
            seen = canary.needles(canary.through_yuv(picture))
            self.wanted = canary.merged(self.wanted, seen)

    def start_vision(self) -> None:
        """Its camera begins to see."""
        script = str(WORLDS / "canary_vision.py")
        words = [str(self.vault.site.configuration), str(self._lens), *self._how]
        with self.log.open("wb") as log:
            self._vision = subprocess.Popen(
                [sys.executable, script, *words],
                pass_fds=(self._lens,),
                env={**os.environ, **WIPING},
                stderr=log,
            )

    def close(self) -> None:
        if self._vision is not None:
            self._vision.kill()
            self._vision.wait(END_S)
        self._buffer.close()

    @property
    def vision(self) -> int:
        """The process id, of one that is alive."""
        assert self._vision is not None and self._vision.poll() is None, (
            self.log.read_text()
        )
        return self._vision.pid

    @property
    def log(self) -> Path:
        return self.vault.folder / "vision.log"

    def show(self, key: int | None) -> None:
        """What the camera sees: the canary, or an empty street."""
        street = canary.street(canary.EMPTY)
        picture = street if key is None else canary.frame(key)
        self._buffer[:PICTURE] = picture.tobytes()

    def pull_cable(self) -> None:
        """The camera delivers nothing any more, with the canary before its lens."""
        self._buffer[PICTURE] = 1

    def until_forgotten(self, within_s: float = GONE_S) -> set[str]:
        """What vision still holds when pictures without the canary have replaced it."""
        ends, pause_s = time.monotonic() + within_s, 0.1
        while found := canary.in_memory(self.vision, self.wanted):
            if time.monotonic() > ends:
                break
            time.sleep(pause_s)  # a look at all of its memory costs as much
            pause_s *= 2
        return found

    def session(self) -> bytes:
        """Card in, canary sealed, card out; the data key, read while it lived."""
        self.vault.stage.insert()
        self.vault.until_open()
        self.show(KEY)
        already = self.vault.status()["sealed"]
        self.vault.until(lambda: self.vault.status()["sealed"] >= already + 4)
        key = self.key()
        self.show(None)
        self.vault.stage.pull()
        self.vault.until(lambda: self.vault.status()["state"] == "blank")
        return key

    def key(self) -> bytes:
        """The 32 bytes in the one locked page that is in no dump and no child."""
        pages = [
            page
            for page in canary.memory(self.vault.pid, "lo dd dc")
            if len(page) == mmap.PAGESIZE and any(page[:32]) and not any(page[32:])
        ]
        assert len(pages) == 1
        return pages[0][:32]


@contextmanager
def scene(
    folder: Path,
    medium: str = "memory",
    before: str = READABLE,
    platform: str = "PISP",
    vision_leak: str = "",
) -> Iterator[Scene]:
    with placed(folder, medium, before, ("picamera", "0")) as (vault, lens):
        made = Scene(vault, lens, platform, vision_leak)
        try:
            made.start_vision()
            vault.start()
            yield made
        finally:
            made.close()


@contextmanager
def placed(
    folder: Path, medium: str, before: str, camera: tuple[str, str]
) -> Iterator[tuple[VaultProcess, int]]:
    """A vault that has not been started, and the memory that is the lens."""
    lens = os.memfd_create("lens")
    os.ftruncate(lens, PICTURE + 1)
    try:
        with VaultProcess(folder, medium, before, camera) as vault:
            vault.vision.close()
            yield vault, lens
    finally:
        os.close(lens)


def test_a_piece_is_found_wherever_it_lies_and_only_whole() -> None:
    piece = bytes(range(100, 100 + canary.NEEDLE))
    wanted = {"it": [piece], "another": [piece[::-1]]}
    for before in range(9):
        for after in range(5):
            there, missing = bytes(before) + piece + bytes(after), piece[:-1]
            assert canary.hits(there, wanted) == {"it"}
            assert canary.hits(bytes(before) + missing + bytes(after), wanted) == set()


@pytest.mark.parametrize(
    ("medium", "platform"), [("memory", "PISP"), ("medium", "VC4")]
)
def test_after_removal_the_picture_and_the_key_are_nowhere(
    tmp_path: Path, medium: str, platform: str
) -> None:
    with scene(tmp_path, medium, platform=platform) as it:
        key = it.session()
        wanted = {**it.wanted, "data key": canary.of_secret(key)}
        assert canary.in_memory(it.vault.pid, wanted) == set()
        assert it.until_forgotten() == set()
        assert canary.in_memory(it.vision, wanted) == set()
        assert canary.in_files(tmp_path, wanted) == set()
        # Pulled while it was answering, the card's last word is an error.
        assert it.vault.reasons()[-1] in ("removed", "card-error")


IN_ITS_PLACE = {"RGB", "model input"}  # the camera's buffer, and what is inferred from


def test_without_a_card_a_face_is_in_its_frame_and_the_models_input_alone(
    tmp_path: Path,
) -> None:
    with scene(tmp_path) as it:
        it.show(KEY)
        it.vault.until(lambda: canary.in_memory(it.vision, it.wanted))
        shown = [canary.in_memory(it.vision, it.wanted) for _ in range(5)]
        assert set().union(*shown) <= IN_ITS_PLACE
        assert canary.in_memory(it.vault.pid, it.wanted) == set()
        assert it.vault.status()["turned_away"] == 0  # none was even sent
        it.show(None)
        assert it.until_forgotten() == set()
        assert canary.in_files(tmp_path, it.wanted) == set()


@pytest.mark.parametrize("codec", ["mjpeg", "libx264"])
def test_no_decoder_keeps_the_picture(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, codec: str
) -> None:
    """As from a webcam, each picture by itself, and as decoders refer back to others.

    Its pools are filled again by the pictures of the empty street.
    """
    path = tmp_path_factory.mktemp("recording") / "street.mkv"
    wanted = canary.record(path, codec, KEY, (MARKED_S, EMPTY_S))
    camera = ("video", str(path))
    with placed(tmp_path, "memory", READABLE, camera) as (vault, lens):
        it = Scene(vault, lens)
        it.wanted = wanted
        try:
            vault.start()
            vault.stage.insert()
            vault.until_open()
            it.start_vision()
            vault.until(lambda: vault.status()["sealed"] >= 4)
            vault.until(lambda: canary.in_memory(it.vision, wanted))  # the control
            vault.stage.pull()
            vault.until(lambda: vault.status()["state"] == "blank")
            assert it.until_forgotten() == set()
            assert canary.in_memory(vault.pid, wanted) == set()
            assert canary.in_files(tmp_path, wanted) == set()
        finally:
            it.close()


def test_while_the_card_is_in_the_key_is_in_the_locked_page_alone(
    tmp_path: Path,
) -> None:
    """The control of the search for the key, and a claim: one page, and OpenSSL's."""
    with scene(tmp_path, "medium") as it:
        it.vault.stage.insert()
        it.vault.until_open()
        it.show(KEY)
        it.vault.until(lambda: it.vault.status()["sealed"] >= 3)
        it.show(None)
        wanted = {**it.wanted, "data key": canary.of_secret(it.key())}
        assert canary.in_memory(it.vault.pid, wanted) == {"data key"}
        assert canary.in_files(tmp_path, wanted) == set()


def test_after_an_export_no_secret_of_it_stays(tmp_path: Path) -> None:
    with scene(tmp_path) as it:
        it.vault.stage.insert()
        it.vault.until_open()
        it.show(KEY)
        it.vault.until(lambda: it.vault.status()["sealed"] >= 3)
        key = it.key()
        _, handle = ask(it.vault.config.vault_socket, "export")
        assert handle is not None
        with os.fdopen(handle, "rb") as file:
            file.seek(0)
            data = file.read()
        sealed = export.read(data, it.vault.ca)
        it.show(None)
        it.vault.stage.pull()
        it.vault.until_blank()
        point = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), sealed.wrapped.ephemeral
        )
        shared = it.vault.stage.card.keys[SEALING].exchange(ec.ECDH(), point)
        info = WRAP_INFO + bytes.fromhex(sealed.wrapped.key_id)
        wrapping = HKDF(hashes.SHA256(), 32, None, info).derive(shared)
        wanted = {
            **it.wanted,
            "data key": canary.of_secret(key),
            "shared secret": canary.of_secret(shared),
            "wrapping key": canary.of_secret(wrapping),
        }
        assert canary.in_memory(it.vault.pid, wanted) == set()
        assert canary.hits(data, wanted) == set()
        assert it.vault.chain()[-1].body["leases"][0]["exported"] >= 3


@pytest.mark.parametrize("leak", LEAKS)
def test_a_build_that_leaks_is_found(tmp_path: Path, leak: str) -> None:
    before = f"{READABLE}; {UNCONFINED}{LEAKS[leak]}"
    with scene(tmp_path, "medium", before) as it:
        if leak == "medium":  # it is not blank, and the vault ends itself over that
            with pytest.raises(AssertionError, match="NOT blank"):
                it.session()
        else:
            wanted = {**it.wanted, "data key": canary.of_secret(it.session())}
        if leak == "memory":
            assert FOUND[leak] <= canary.in_memory(it.vault.pid, wanted)
        else:
            assert FOUND[leak] <= canary.in_files(tmp_path, it.wanted)


@pytest.mark.parametrize("leak", ["crops", "frames", "jpeg"])
def test_a_vision_process_that_leaks_is_found(tmp_path: Path, leak: str) -> None:
    with scene(tmp_path, vision_leak=leak) as it:
        it.session()
        kept = "JPEG 90" if leak == "jpeg" else "RGB"
        assert kept in it.until_forgotten(KEPT_S)


def without_camera(it: Scene) -> set[str]:
    """What vision holds when its camera has died in the middle of a session."""
    it.vault.stage.insert()
    it.vault.until_open()
    it.show(KEY)
    it.vault.until(lambda: it.vault.status()["sealed"] >= 4)
    it.pull_cable()
    it.vault.until(lambda: "the camera stopped" in it.log.read_text())
    it.show(None)  # the lens is ours, and not searched for
    return canary.in_memory(it.vision, it.wanted)


@pytest.mark.parametrize("platform", ["PISP", "VC4"])
def test_a_camera_that_dies_leaves_no_picture_behind(
    tmp_path: Path, platform: str
) -> None:
    with scene(tmp_path, platform=platform) as it:
        assert without_camera(it) == set()


def test_a_build_that_keeps_a_dead_cameras_picture_is_found(tmp_path: Path) -> None:
    with scene(tmp_path, vision_leak="frames") as it:
        assert "RGB" in without_camera(it)


FREES = """\
import ctypes, sys
import numpy as np
from doorsill.process import hardening
{before}
hardening.wipe_freed_memory()
seed, size = map(int, sys.argv[1:])
noise, libc = np.random.default_rng(seed), ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
blocks = [libc.malloc(size) for _ in range(12)]
for block in blocks:
    there = (ctypes.c_double * (size // 8)).from_address(block)
    noise.random(out=np.ctypeslib.as_array(there))
for block in blocks[::2]:  # those that stay keep the others from being given back
    libc.free(block)
for block in blocks[1::2]:
    ctypes.memset(block, 0, size)
print("freed", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("size", [600, 60_000], ids=["a row", "a picture"])
@pytest.mark.parametrize("wiped", [True, False])
def test_what_is_freed_is_wiped(wiped: bool, size: int) -> None:
    """The control: without it, pictures that were let go of are still there."""
    first = np.random.default_rng(KEY).random(size // 8).tobytes()
    needles = [first[at : at + canary.NEEDLE] for at in range(48, 448, 16)]
    before = "pass" if wiped else "hardening.wipe_freed_memory = lambda: None"
    with started(
        [sys.executable, "-c", FREES.format(before=before), str(KEY), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **WIPING},
    ) as child:
        assert first_line(child) == b"freed\n"
        found = canary.in_memory(child.pid, {"first": needles})
        child.communicate(b"", timeout=END_S)
    assert bool(found) != wiped


@pytest.mark.alone
def test_nothing_of_it_is_on_the_wire(tmp_path: Path) -> None:
    if not canary.may_capture():
        pytest.skip("a packet capture needs root; the confinement test stands for it")
    with scene(tmp_path) as it, canary.Capture() as capture:
        key = it.session()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            control.sendto(it.wanted["Y plane"][0], ("127.0.0.1", 9))
    wire = b"".join(capture.packets)
    wanted = {**it.wanted, "data key": canary.of_secret(key)}
    assert len(capture.packets) > 20  # the card's own connection to pcscd
    assert canary.hits(wire, wanted) == {"Y plane"}  # the control, and it alone


def crashed(it: Scene, folder: Path) -> set[str]:
    """What a core dump of a vault that crashes while it is open gives away."""
    it.vault.stage.insert()
    it.vault.until_open()
    it.show(KEY)
    it.vault.until(lambda: it.vault.status()["sealed"] >= 3)
    wanted = {**it.wanted, "data key": canary.of_secret(it.key())}
    it.vault.stop(signal.SIGSEGV)
    return canary.in_files(folder, wanted)


def test_a_crash_while_it_is_open_leaves_no_core(tmp_path: Path) -> None:
    with scene(tmp_path) as it:
        assert crashed(it, tmp_path) == set()
        assert not list(tmp_path.glob("core*"))


def test_a_core_would_have_been_found(tmp_path: Path) -> None:
    """The control: dumps allowed, and the picture kept. The locked page stays out."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern[0] in "|/" or resource.getrlimit(resource.RLIMIT_CORE)[1] != -1:
        pytest.skip(
            f"this kernel does not leave cores in the working folder: {pattern}"
        )
    with scene(tmp_path, "memory", CORES + LEAKS["memory"]) as it:
        found = crashed(it, tmp_path)
        assert any(each.startswith("RGB in core") for each in found)
