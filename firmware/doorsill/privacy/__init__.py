"""All that is added, held back and paid for before a number about people may leave.

    looks of people ──► threshold: k or more ──► noise ──► budget ──► one report
                        in whole slots           exact     of one     or none
                        of the day               integers  day

``floors`` has the bounds that no file can lower. Arithmetic alone: no clock, no file,
no socket; who calls gives the time and the random numbers. Counts of crossings are not
here: they are exact, may be 1, and say nothing but that somebody crossed.
"""
