"""Boards with one fault each, and the rule that must see it.

A mutant is a change of the text of the board or its parts, as a person would make it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from interlock.errors import BoardError
from interlock.netlist import BOARD, Board, read_board
from interlock.parts import CATALOGUE, read_parts
from interlock.rules.book import RULES


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: what is replaced by what, which must be there just once."""

    says: str
    rule: str  # of book.RULES
    old: str
    new: str

    def apply(self, board: str, parts: str) -> Board:
        """The faulty board, made of the two texts; raises BoardError."""
        if (board + parts).count(self.old) != 1:
            raise BoardError(
                f"the mutant {self.says!r} does not fit the board any more"
            )
        made = board.replace(self.old, self.new)
        return read_board(made, read_parts(parts.replace(self.old, self.new)))


MUTANTS = (
    Mutant(
        "chip select goes straight to the memory",
        "lines-pass-a-buffer",
        "CS=MEM_CS SO",
        "CS=PI_CE0 SO",
    ),
    Mutant(
        "the buffer has no Ioff",
        "lines-pass-a-buffer",
        'volt_min = 1.65\nioff = true\nsolder = "hand"\nprice = [0.15, 0.45]',
        'volt_min = 1.65\nsolder = "hand"\nprice = [0.15, 0.45]',
    ),
    Mutant(
        "the buffer is always on",
        "lines-pass-a-buffer",
        "4Y=PI_MISO VCC=RAIL",
        "4Y=PI_MISO VCC=3V3",
    ),
    Mutant(
        "a pull-up joins the rail and a line of the Pi",
        "lines-pass-a-buffer",
        "D1=- D2=-",
        "D1=RAIL D2=PI_CE0",
    ),
    Mutant(
        "an EEPROM in place of the SRAM",
        "no-memory-that-keeps",
        "input_max_over_v = 0.3}",
        "input_max_over_v = 0.3}\nnon_volatile = true",
    ),
    Mutant(
        "the token's transistor is bridged",
        "three-must-agree",
        "D2=AND_1",
        "D2=SWITCH_GATE",
    ),
    Mutant(
        "the case's transistor asks for the token again",
        "three-must-agree",
        "G2=CASE_OK",
        "G2=TOKEN_OK",
    ),
    Mutant(
        "a resistor closes the switch by itself",
        "three-must-agree",
        "R3  2k2           1=RAIL 2=GND",
        "R3  2k2           1=RAIL 2=GND\nR9  2k2  1=SWITCH_GATE 2=GND",
    ),
    Mutant(
        "the Pi pulls the switch",
        "three-must-agree",
        "4OE=PI_CE0 4A=MEM_SO 4Y=PI_MISO",
        "4OE=PI_CE0 4A=MEM_SO 4Y=SWITCH_GATE",
    ),
    Mutant(
        "the watchdog's pin is the permit itself",
        "three-must-agree",
        "Q=WD_OK",
        "Q=WD_UNUSED",
    ),
    Mutant(
        "the token's comparator reads the case",
        "three-must-agree",
        "2-=TOKEN_LOOP",
        "2-=CASE_LOOP",
    ),
    Mutant(
        "the rail is on the header",
        "three-must-agree",
        "28=ID_SC",
        "28=ID_SC 17=RAIL",
    ),
    Mutant(
        "no bleeder",
        "discharges",
        "R3  2k2           1=RAIL 2=GND\n",
        "",
    ),
    Mutant(
        "the discharge waits for the watchdog",
        "discharges",
        "G2=SWITCH_GATE D2=DISCHARGE",
        "G2=WD_OK D2=DISCHARGE",
    ),
    Mutant(
        "the switch's gate floats",
        "discharges",
        "C1=3V3 C2=SWITCH_GATE",
        "C1=- C2=-",
    ),
    Mutant(
        "an edge lasts no longer than the vault may be late",
        "watchdog-window",
        "value = 330e3",
        "value = 240e3",
    ),
    Mutant(
        "an edge lasts long after the vault's death",
        "watchdog-window",
        "value = 330e3",
        "value = 470e3",
    ),
    Mutant(
        "a ceramic capacitor that loses half of its value sets the time",
        "watchdog-window",
        "value = 100e-9\ntolerance = 0.05",
        "value = 100e-9\ntolerance = 0.5",
    ),
    Mutant(
        "nothing sets the time of an edge",
        "watchdog-window",
        "C7  100n-film     1=WD_TIME",
        "C7  100n-film     1=WD_TIME_",
    ),
    Mutant(
        "nothing stands for the far end of the ladder",
        "cut-or-shorted",
        "D1=WINDOW_LOW D2=GND",
        "D1=WINDOW_LOW D2=LADDER_TOP",
    ),
    Mutant(
        "the case's loop has no pull-up",
        "cut-or-shorted",
        "B1=3V3 B2=CASE_LOOP",
        "B1=- B2=-",
    ),
    Mutant(
        "the status pull-up is ours, on while the Pi's pins are off",
        "nothing-feeds-back",
        "C1=PI_3V3 C2=TOKEN_OK",
        "C1=3V3 C2=TOKEN_OK",
    ),
    Mutant(
        "the watchdog's resistor pulls up",
        "nothing-feeds-back",
        "D1=WATCHDOG D2=GND",
        "D1=WATCHDOG D2=3V3",
    ),
    Mutant(
        "a pin of the Pi lies on the permit",
        "software-cannot-grant",
        "13=STATUS_CASE",
        "13=CASE_OK",
    ),
    Mutant(
        "the comparator is too weak against the pin",
        "software-cannot-grant",
        "sink_ohm = 250.0",
        "sink_ohm = 2500.0",
    ),
    Mutant(
        "a pin holds the lamp",
        "lamp-in-series",
        "28=ID_SC",
        "28=ID_SC 29=LAMP",
    ),
    Mutant(
        "the sensor's supply passes beside the lamp",
        "lamp-in-series",
        "J5  ribbon-22     1=SENSOR_3V3",
        "J5  ribbon-22     1=RIBBON_3V3",
    ),
    Mutant(
        "the lamp hangs behind the switch, which opens alone",
        "lamp-in-series",
        "G=LAMP S=RIBBON_3V3",
        "G=GND S=RIBBON_3V3",
    ),
    Mutant(
        "a capacitor of 6.3 V at 5 V",
        "within-ratings",
        "volt_max = 16.0\nsolder = \"hand\"\nprice = [0.01, 0.05]",
        "volt_max = 6.3\nsolder = \"hand\"\nprice = [0.01, 0.05]",
    ),
    Mutant(
        "a discharge that burns",
        "within-ratings",
        "value = 330.0",
        "value = 100.0",
    ),
    Mutant(
        "a memory for offices",
        "within-ratings",
        'hottest_c = 85\nvolt_max = 5.5\nvolt_min = 2.5\nsolder = "hand"\nprice = [2.0',
        'hottest_c = 70\nvolt_max = 5.5\nvolt_min = 2.5\nsolder = "hand"\nprice = [2.0',
    ),
    Mutant(
        "a misspelt net",
        "joined",
        "SI=MEM_SI SCK",
        "SI=MEM_S1 SCK",
    ),
    Mutant("no pad at the rail", "test-points", "TP4  test-pad     1=RAIL\n", ""),
    Mutant(
        "the one-shot is obsolete",
        "parts-can-be-bought",
        'second = "Nexperia 74LVC1G123DC"',
        'second = "Nexperia 74LVC1G123DC"\nlifecycle = "obsolete"',
    ),
    Mutant(
        "one source, and no reason",
        "parts-can-be-bought",
        'second = "TI TLV809S33DBVR"',
        'second = ""',
    ),
)  # fmt: skip


def caught(mutant: Mutant) -> list[str]:
    """The rules that trip on a mutant of the board as it stands."""
    text, parts = BOARD.read_text("utf-8"), CATALOGUE.read_text("utf-8")
    made = mutant.apply(text, parts)
    return [name for name, rule in RULES.items() if rule(made)]


def without_mutant() -> Iterator[str]:
    """The rules that no mutant names: nobody knows whether they can fail."""
    yield from RULES.keys() - {each.rule for each in MUTANTS}
