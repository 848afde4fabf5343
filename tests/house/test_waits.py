"""Nothing waits for ever: each wait of product and tests has a bound or a reason."""

from __future__ import annotations

import pytest
from places import ROOT
from waits import waits

FOLDERS = ("firmware", "provisioning", "tests")

# What the syntax does not show. Each waits for its job, and is woken; or for a person.
ALLOWED = {
    "firmware/doorsill/vault/token_threads.py Attendant._wait": "the thread whose job "
    "it is; a token looks each second or more often, and close() ends it",
    "firmware/doorsill/office/piv.py _await_card": "a timer closes the token",
    "firmware/doorsill/cli/consent_issue.py _ask_pin": "a person types a PIN",
    "firmware/doorsill/cli/vault.py _line": "a person, or a pipe, gives a PIN",
    "provisioning/doorsill_fleet/cli/flash.py _confirm": "a person types a card's name",
    "firmware/doorsill/office/controller.py secret": "a person types a passphrase",
    "firmware/doorsill/drivers/camera/video.py Recording._next": "one frame of a file "
    "is decoded; without the thread the caller itself would wait as long",
    "tests/worlds/children.py first_line": "select said before that there is something",
    "tests/mutants/__main__.py Workshop.tried": "the run of a change has its limit_s",
    "tests/mutants/runner.py Runner.run": "the runner gives its fork limit_s",
    "tests/mutants/runner.py _forked": "it was killed the moment before",
    "tests/drivers/test_fido.py Plugged._note": "a daemon thread; close() ends it",
    "tests/drivers/test_gpio_line.py Watched._note": "a daemon thread; close() ends it",
    "tests/worlds/scripted.py ScriptedToken.events": "a daemon thread; close() ends it",
    "tests/worlds/scripted.py ScriptedSwitch.levels": "a daemon; close() ends it",
    "tests/contracts/test_piv.py Recorder._note": "a daemon thread; close() ends it",
    "tests/worlds/virtual.py _until_seen": "a timer closes the readers",
    "tests/worlds/ways.py _forked": "the program it runs in has PROGRAM_S",
    "tests/worlds/ways_inside.py _apart": "the program it runs in has PROGRAM_S",
}


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """The file and function of each wait without a bound, and where it stands."""
    places = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT)
            for each in waits(path.read_text(encoding="utf-8")):
                places[f"{name} {each.place}"] = f"{name}:{each.line}: {each.text}"
    return places


def test_every_wait_has_a_bound_or_a_reason(found: dict[str, str]) -> None:
    assert {k: v for k, v in found.items() if k not in ALLOWED} == {}


def test_no_reason_outlives_its_wait(found: dict[str, str]) -> None:
    assert ALLOWED.keys() - found.keys() == set()


UNBOUNDED = [
    "child.wait()",
    "child.wait(timeout=None)",
    "child.communicate()",
    "child.communicate(b'in')",
    "thread.join()",
    "work.get()",
    "lock.acquire()",
    "ready.wait()",
    "future.result()",
    "subprocess.run(['true'])",
    "subprocess.run(['true'], check=True, timeout=None)",
    "subprocess.check_output(['true'])",
    "with subprocess.Popen(['true']): pass",
    "for event in token.events(): pass",
    "listener.accept()",
    "line.recv(4)",
    "socket.recv_fds(line, 4, 1)",
    "line.settimeout(None)\nline.recv(4)",
    "socket.create_connection(place)",
    "socket.create_connection(place, timeout=None)",
    "urllib.request.urlopen(url)",
    "select.select([a], [], [])",
    "select.select([a], [], [], None)",
    "fcntl.flock(file, fcntl.LOCK_EX)",
    "os.waitpid(child, 0)",
    "child.stdout.readline()",
    "signal.pause()",
    "signal.sigwait(them)",
    "client.loop_forever()",
    "client.loop_stop()",
    "scard.SCardGetStatusChange(context, scard.INFINITE, asked)",
    "input()",
]
BOUNDED = [
    "child.wait(5)",
    "child.wait(timeout=END_S)",
    "child.communicate(b'in', 5)",
    "thread.join(5)",
    "' '.join(words)",
    "work.get(timeout=5)",
    "work.get_nowait()",
    "table.get('key')",
    "lock.acquire(timeout=5)",
    "lock.acquire(blocking=False)",
    "ready.wait(5)",
    "subprocess.run(['true'], timeout=5)",
    "line.settimeout(5)\nline.recv(4)",
    "listener.setblocking(False)\nlistener.accept()",
    "policy.accept(current, candidate)",
    "socket.create_connection(place, 5)",
    "urllib.request.urlopen(url, timeout=5)",
    "select.select([a], [], [], 0.5)",
    "card.select()",
    "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
    "os.waitpid(child, os.WNOHANG)",
    "scard.SCardGetStatusChange(context, WAIT_MS, asked)",
]


@pytest.mark.parametrize("source", UNBOUNDED)
def test_a_wait_without_a_bound_is_seen(source: str) -> None:
    """The negative control: each of these must trip."""
    assert len(waits(f"def work():\n    {source.replace(chr(10), chr(10) + '    ')}"))


@pytest.mark.parametrize("source", BOUNDED)
def test_a_wait_with_a_bound_is_left_alone(source: str) -> None:
    assert waits(source) == []


def test_it_says_in_which_function() -> None:
    (wait,) = waits("class A:\n    def b(self):\n        self.thread.join()\n")
    assert (wait.place, wait.line, wait.text) == ("A.b", 3, "self.thread.join()")
