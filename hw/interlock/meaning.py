"""What the names of some nets mean; the rules hold the board to it."""

from __future__ import annotations

GROUND = "GND"
RAIL = "RAIL"  # the gated supply, of all that may hold a face
ALWAYS = "3V3"  # our own supply, on while the Pi has 5 V
PI_LOGIC = "PI_3V3"  # the supply of the Pi's own pins
FROM_PI = ("5V", PI_LOGIC)
SUPPLIES = (*FROM_PI, ALWAYS, RAIL)
TOKEN, CASE, ALIVE = "TOKEN_OK", "CASE_OK", "WD_OK"
PERMITS = (TOKEN, CASE, ALIVE)  # all three, or the switch opens
LOOPS = {TOKEN: "TOKEN_LOOP", CASE: "CASE_LOOP"}  # the wires that each permit reads
END_OHM = 6.2e3  # of the resistor at the far end of each loop, 1 %
END_TOLERANCE = 0.01
PULSE_MS = 5.0  # from edge to edge, as doorsill's vault makes them
LATE_MS = 25.0  # the vault calls a longer gap late, so each board bridges this one
LOST_MS = 45.0  # after the last edge the switch opens; 50 ms with the discharge
RIBBON, SENSOR = "RIBBON_3V3", "SENSOR_3V3"
HEADER = "J1"
BENCH = (
    GROUND, "5V", ALWAYS, RAIL, "SWITCH_GATE", *LOOPS.values(), *PERMITS,
    "MEM_CS", "MEM_SO", SENSOR, "LAMP",
)  # fmt: skip
# V at most on a net, where it is not that of our own 3.3 V.
HIGHEST_V = {"5V": 5.25}
LOGIC_V = 3.3 * 1.05
