"""After the card has gone, the picture is nowhere: files, medium, memory, wire, core.

Each search has a control: the same with a build that leaks there, which must be found.
"""

import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import canary
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from vault_process import VaultProcess

from doorsill.consent import export
from doorsill.consent.control import ask
from doorsill.consent.premises import socket_of
from doorsill.consent.sealing import WRAP_INFO
from doorsill.drivers.piv import SEALING

BOX = (19, 14, 109, 82)  # 0.2..0.6 of 160 x 120 and a margin of 0.2 of that
KEY = 20261123
ONE_THREAD = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}

# Root may read the memory of a process that is not dumpable. Without root the process
# under test must let itself be read (1 is PR_SET_PDEATHSIG, which 0 leaves as it is).
READABLE = (
    "pass"
    if os.geteuid() == 0
    else "import doorsill.confine as c; c.PR_SET_DUMPABLE = 1"
)
KEEPS = (
    "import doorsill.consent.sealing as S; seal, end = S.DataKey.seal, "
    "S.DataKey.destroy; kept = []; "
)
TAKES = (
    "; S.DataKey.seal = lambda self, plain, context: "
    "(leak(bytes(plain)), seal(self, plain, context))[1]"
)
UNCONFINED = "import doorsill.confine as c; c._restrict_files_and_ports = print; "
CORES = UNCONFINED + (
    "import resource; c.PR_SET_DUMPABLE = 1; "
    "resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)); "
    "resource.setrlimit = lambda *_: None; "
)
LEAKS = {
    "memory": f"{KEEPS} leak = kept.append{TAKES}; S.DataKey.destroy = lambda self: "
    "(kept.append(bytes(self._memory.view)), end(self))",
    "files": f"{KEEPS} from PIL import Image; path = sys.argv[1]; leak = lambda plain: "
    "(open(path + '.raw', 'wb').write(plain), Image.frombytes('RGB', (90, 68), plain)"
    f".save(path + '.jpg', quality=90), sys.stderr.buffer.write(plain)){TAKES}",
    "medium": "import doorsill.consent.sealing as S, doorsill.consent.disk as D; "
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
    """A vault, a vision process, and the camera buffer that the test fills."""

    def __init__(self, vault: VaultProcess, vision: int, buffer: mmap.mmap) -> None:
        self.vault, self.vision = vault, vision
        self._pixels = np.frombuffer(buffer, np.uint8).reshape(120, 160, 3)
        self.wanted = canary.needles(canary.frame(KEY), BOX)

    def show(self, key: int | None) -> None:
        """What the camera sees: the canary, or an empty street."""
        self._pixels[:] = 127 if key is None else canary.frame(key)

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
    folder: Path, medium: str = "memory", before: str = READABLE, *vision_leaks: str
) -> Iterator[Scene]:
    handle = os.memfd_create("camera")
    os.ftruncate(handle, 120 * 160 * 3)
    buffer = mmap.mmap(handle, 120 * 160 * 3)
    with VaultProcess(folder, medium, before) as vault:
        vault.vision.close()
        script = str(Path(__file__).with_name("canary_vision.py"))
        command = [sys.executable, script, str(vault.config.face_socket), str(handle)]
        child = subprocess.Popen(
            [*command, *vision_leaks], pass_fds=(handle,), env=ONE_THREAD
        )
        try:
            vault.start()
            yield Scene(vault, child.pid, buffer)
        finally:
            child.kill()
            child.wait()
            os.close(handle)


@pytest.mark.parametrize("medium", ["memory", "medium"])
def test_after_removal_the_picture_and_the_key_are_nowhere(
    tmp_path: Path, medium: str
) -> None:
    with scene(tmp_path, medium) as it:
        key = it.session()
        wanted = {**it.wanted, "data key": canary.of_secret(key)}
        assert canary.in_memory(it.vault.pid, wanted) == set()
        assert canary.in_memory(it.vision, it.wanted) == set()
        assert canary.in_files(tmp_path, wanted) == set()
        # Pulled while it was answering, the card's last word is an error.
        assert it.vault.reasons()[-1] in ("removed", "card-error")


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
        _, handle = ask(socket_of(it.vault.config), "export")
        assert handle is not None
        with os.fdopen(handle, "rb") as file:
            file.seek(0)
            data = file.read()
        sealed = export.read(data)
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


def test_a_vision_process_that_leaks_is_found(tmp_path: Path) -> None:
    with scene(tmp_path, "memory", READABLE, "leaking") as it:
        it.session()
        assert "RGB" in canary.in_memory(it.vision, it.wanted)


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
