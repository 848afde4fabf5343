"""The commands that the fleet's package adds to ``doorsill``: names and modules only.

``doorsill --help`` reads this table and loads nothing else of the package.
"""

COMMANDS = {
    "demo": (
        "doorsill_fleet.demo.arguments",
        "the whole system on this machine, with known truth",
    ),
}
