"""From nothing to a judgement; what was done already is not done again."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from fleets import FleetWorld
from replay import chain, faces, whole
from replay.clocks import Clocks
from replay.events import Events
from replay.judge import Part, Verdict, compare, count, judge, kept, whole_camera
from replay.plan import MINUTES, Door, days, doors
from replay.processes import BROKER, Processes
from replay.shop import home
from replay.worker import STORE
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from doorsill_fleet.office.chain import READERS
from doorsill_fleet.store.windows import Store

LOOK_S = 0.5  # between two looks at how far it is
STILL_S = 180.0  # without a window, after which something is wrong


class Stuck(Exception):
    """Nothing moves; a machine that is busy with something else does it, too."""


@dataclass
class Play:
    """One replay in ``folder``."""

    folder: Path
    count: int  # cameras
    span: int  # days of the calendar
    console: Console
    films: bool = True  # whether one camera runs as a whole at the end
    seconds: dict[str, float] = field(default_factory=dict)  # where the time went
    rate: float = 0.0  # windows a second
    said: str = ""  # by the camera that is whole
    processor: dict[str, float] = field(default_factory=dict)  # s, by who had it
    step: str = "the chain is made"  # what it does now, in words
    words: dict[str, str] = field(default_factory=dict)  # of a process that still ran
    begun: float = field(default_factory=time.monotonic)

    @property
    def doors(self) -> list[Door]:
        return doors(self.count)

    @property
    def days(self) -> list[date]:
        return days(self.span)

    @property
    def until(self) -> int:
        """The end of the last day, UTC s."""
        return Part(self.doors, self.days).until

    @property
    def wanted(self) -> int:
        """Windows."""
        return len(self.doors) * len(self.days) * MINUTES

    def say(self, step: str) -> None:
        """What it does from now on, and when that begins."""
        self.step = step
        spent = time.monotonic() - self.begun
        self.console.print(f"{spent:7.1f} s  {step}", markup=False, highlight=False)

    def standing(self) -> str:
        """Where it stands, for one who waited too long: the step, and who said what."""
        said = [f"It stands at: {self.step}"]
        said += [f"-- {name}:\n{words}" for name, words in self.words.items()]
        return "\n".join(said)

    def run(self) -> int:
        """All of it; 0 if everything is so."""
        self.say(self.step)
        if self.folder.exists() and not (self.folder / "setting.json").exists():
            shutil.rmtree(self.folder)  # it had not begun
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as exits:
            world = chain.found(self.folder)
            exits.callback(world.register.dispose)
            self._enrol(world)
            broker = chain.broker_of(world)
            exits.callback(broker.stop)
            broker.start()
            processes = Processes(self.folder)
            exits.callback(processes.stop)
            exits.callback(lambda: self.words.update(processes.alive(broker)))
            events = Events(self.folder, world, broker, processes, self.doors, self.say)
            self._replay(events)
            faces = self._look_for_faces(processes)
        return self._show([*self._judge(), events.verdict(), faces])

    def _enrol(self, world: FleetWorld) -> None:
        """Every camera with its voucher, as `doorsill enrol` does it."""
        if (self.folder / "setting.json").exists():
            return
        begun = time.monotonic()
        self.say("its cameras enrol")
        chain.open_shops(world, len({each.site for each in self.doors}))
        with world.serving():
            vouchers = chain.add(world, self.doors)
            for door in self.doors:
                voucher = vouchers[door.site, door.device]
                chain.enrol(world, voucher, home(self.folder, door))
        serials = {f"{a}/{b}": each.serial for (a, b), each in vouchers.items()}
        setting = {"cameras": self.count, "days": self.span, "serials": serials}
        (self.folder / "setting.json").write_text(json.dumps(setting))
        self.seconds["enrolment"] = time.monotonic() - begun

    def _replay(self, events: Events) -> None:
        """Until every window is in the store."""
        begun = time.monotonic()
        Clocks(self.folder / "clocks")
        self.say("workers and shops begin")
        for number in range(1, len(READERS) + 1):
            events.processes.start_worker(number)
        for site in {each.site for each in self.doors}:
            events.processes.start_shop(site)
        store = Store(self.folder / STORE)
        before = count(store.engine, self.until)  # by runs that were stopped
        try:
            with self._progress() as bar:
                self._watch(events, store, bar)
        finally:
            store.close()
        self.seconds["replay"] = time.monotonic() - begun
        self.rate = (self.wanted - before) / self.seconds["replay"]
        spent = events.processes.spent_by
        self.processor = {
            "cameras": spent({each.site for each in self.doors}),
            "broker": spent({BROKER}),
            "workers": spent(READERS),
        }

    def _look_for_faces(self, processes: Processes) -> Verdict:
        """The whole camera films; then all files and packets are searched."""
        begun = time.monotonic()
        self.say("all files and packets are searched for faces")
        folder, own = home(self.folder, self.doors[0]), {"film", faces.CONTROL}
        seconds = faces.FILM_S if self.films else faces.STRIP_S
        film = faces.film(self.folder / "film", seconds)
        whole.equip(folder, film.path)
        with faces.listening() as packets:
            if self.films:
                self.said = whole.last(processes, folder)
            processes.stop()
        found = faces.in_files(self.folder, film.needles, own)
        found |= faces.in_packets(packets, film.needles)
        heard = len(packets)
        with faces.listening() as packets:
            faces.leak(self.folder, chain.address(folder), film.row())
        control = faces.in_files(self.folder, film.needles, {"film"})
        control |= faces.in_packets(packets, film.needles)
        self.seconds["faces"] = time.monotonic() - begun
        return faces.verdict(found, control, heard)

    def _watch(
        self,
        events: Events,
        store: Store,
        bar: Progress,
    ) -> None:
        task = bar.add_task("windows", total=self.wanted)
        done, moved, running = -1, time.monotonic(), {e.site for e in self.doors}
        self.say(f"{self.wanted:,} windows are sent")
        while running or count(store.engine, self.until) < self.wanted:
            time.sleep(LOOK_S)
            now = kept(store.engine)
            if now != done:
                done, moved = now, time.monotonic()
            bar.update(task, completed=min(done, self.wanted))
            sending = ", ".join(sorted(running)) or "nobody"
            self.step = f"{done:,} of {self.wanted:,} windows, and {sending} sends"
            events.processes.note_time(events.broker.process)
            running = events.look(done / self.wanted, running)
            if time.monotonic() - moved > STILL_S:
                raise Stuck(f"no window came for {STILL_S:g} s")

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TimeElapsedColumn(),
            console=self.console,
        )

    def _judge(self) -> list[Verdict]:
        begun = time.monotonic()
        self.say("the judge compares")
        store = Store(self.folder / STORE)
        part = Part(self.doors, self.days)
        sent = sum(each for _, each in Clocks(self.folder / "clocks").rows())
        try:
            verdicts = judge(store.engine, part, compare(store.engine, part), sent)
            if self.films:
                verdicts.append(whole_camera(store.engine, part, self.said))
        finally:
            store.close()
        self.seconds["judgement"] = time.monotonic() - begun
        return verdicts

    def _show(self, verdicts: list[Verdict]) -> int:
        for each in verdicts:
            mark = "[green]ok[/]" if each.holds else "[red]NOT SO[/]"
            self.console.print(f"{mark} {each.what}: {each.said}", highlight=False)
        parts = (
            f"{self.rate:,.0f} windows a second",
            ", ".join(f"{what} {s:.0f} s" for what, s in self.seconds.items()),
            "of the processor: "
            + ", ".join(f"{who} {s:.0f} s" for who, s in self.processor.items()),
        )
        self.console.print("; ".join(parts), highlight=False)
        good = all(each.holds for each in verdicts)
        if good:
            shutil.rmtree(self.folder)
        else:
            self.console.print(f"everything is still in {self.folder}")
        return 0 if good else 1
