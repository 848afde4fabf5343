"""Floors and ceilings that no file, policy or message can lower."""

K_FLOOR = 10  # people in the smallest group that is ever published
EPSILON_CEILING_PER_DAY = 2.0  # differential privacy budget of one device and day
