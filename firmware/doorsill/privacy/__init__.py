"""All that is added, held back and paid for before a number about people may leave.

    attributes ──► threshold: k or more ──► noise ──► budget ──► one report
    of people      in whole slots           exact     of one     or none
                   of the day               integers  day

``floors`` has the bounds that no file can lower. Arithmetic alone: no clock, no file,
no socket; the caller gives the time and the random numbers. Counts of crossings are not
here: they are exact, may be 1, and say nothing but that somebody crossed.
"""
