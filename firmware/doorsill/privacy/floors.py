"""Floors and ceilings that no file, policy or message can lower."""

from typing import Final

K_FLOOR: Final = 10  # crossings in the smallest group that is ever published
EPSILON_CEILING_PER_DAY: Final = 2.0  # privacy budget of one device and day

# Somebody who crosses often, such as staff: a day with this many of one person's
# crossings costs no more than the day's budget, in any lines and reports.
CROSSINGS_OF_ONE: Final = 40

# Slots of a day, at the same hours every day: where a report may end does not depend on
# the visitors. With more reports a day, each would be noisier.
REPORTS_PER_DAY: Final = 8
SLOT_S: Final = 86_400 // REPORTS_PER_DAY  # length of a slot
DAY_S: Final = 86_400  # length of a UTC day
