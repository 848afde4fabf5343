"""What goes wrong on the way: each once, also over a stop and a new start."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleets import FleetWorld
from replay import chain, story
from replay.judge import Verdict
from replay.plan import Door
from replay.processes import Processes
from replay.shop import WANTS_ANOTHER, home, second_home

from doorsill_fleet.broker.mosquitto import Broker
from doorsill_fleet.office.chain import READERS

SAID = "events.json"


@dataclass
class Events:
    """The world in which they happen."""

    folder: Path
    world: FleetWorld
    broker: Broker
    processes: Processes
    doors: list[Door]
    say: Callable[[str], None]

    def look(self, share: float, running: set[str]) -> set[str]:
        """Do what is due at this share of the windows; the shops that still send."""
        if share >= story.WORKER_KILLED and self._first("a worker was killed"):
            self.processes.kill(READERS[1])
            self.processes.start_worker(2)
        if share >= story.SHOP_KILLED and running:
            site = min(running)
            if self._first(f"all cameras of {site} lost their power", "power"):
                self.processes.kill(site)
                self.processes.start_shop(site)
        if share >= story.BROKER_RESTARTED and self._first("the broker restarted"):
            self.broker.restart()
        return {site for site in running if not self._has_ended(site)}

    def _first(self, said: str, name: str = "") -> bool:
        """Whether it had not happened yet; from now on it has."""
        happened = self.happened()
        if (name or said) in happened:
            return False
        happened[name or said] = said
        self.say(said)
        (self.folder / SAID).write_text(json.dumps(happened))
        return True

    def happened(self) -> dict[str, str]:
        """What has happened, in words, by its name."""
        path = self.folder / SAID
        found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def _has_ended(self, site: str) -> bool:
        code = self.processes.running[site].poll()
        if code == 0:
            self.say(f"all of {site} is at the broker")
        if code == WANTS_ANOTHER:
            self.say(f"a camera of {site} is gone, and another is sent")
            self._replace()
            self.processes.start_shop(site)
        elif code:
            raise RuntimeError(
                f"{site} ended with {code}: {self.processes.words(site)}"
            )
        return code == 0

    def _replace(self) -> None:
        """The camera is revoked, another board enrols, and the stolen one knocks."""
        lost = story.stolen(self.doors)
        assert lost is not None
        setting = json.loads((self.folder / "setting.json").read_text())
        serial = setting["serials"][f"{lost.site}/{lost.device}"]
        another = second_home(self.folder, lost)
        chain.replace(self.world, self.broker, serial, another)
        heard = chain.knock(home(self.folder, lost))
        self._first(f"a stolen camera was replaced and hears: {heard}", "stolen")

    def verdict(self) -> Verdict:
        """All of it happened, and the stolen camera was refused."""
        happened = self.happened()
        wanted = 3 + (len(self.doors) > 1)
        refused = len(self.doors) == 1 or "revoked" in happened.get("stolen", "")
        said = "; ".join(happened.values())
        return Verdict("on the way", said, len(happened) == wanted and refused)
