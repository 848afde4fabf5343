"""How long the tests wait, where the product promises no time of its own."""

from __future__ import annotations

PROGRAM_S = 100.0  # for a program that a test starts; below the limit of a test
MEASURED_S = 1800.0  # for a program that the bench measures
LONG_S = 280.0  # for one of a test that is marked to take longer
END_S = 20.0  # for a thread or a process that was told to end
LOOK_S = 0.005  # between two looks
