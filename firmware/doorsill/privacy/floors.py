"""Floors and ceilings that no file, policy or message can lower."""

from typing import Final

K_FLOOR: Final = 10  # crossings in the smallest group that is ever published
EPSILON_CEILING_PER_DAY: Final = 2.0  # privacy budget of one device and day

# Somebody who crosses often, such as staff: a day with this many of one person's
# crossings costs no more than the day's budget, in whatever lines and reports.
CROSSINGS_OF_ONE: Final = 40

# A day is cut at the same hours every day, whoever comes: where a report may end is
# never the visitors' doing. More reports a day would each be noisier.
REPORTS_PER_DAY: Final = 8
SLOT_S: Final = 86_400 // REPORTS_PER_DAY
DAY_S: Final = 86_400
