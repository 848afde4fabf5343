"""The process that decides on a policy that came by air, and ends. Read this first.

    the uplink's file ─► verified, weighed ─► the policy in force, and the verdict

It reads bytes of a broker that nobody trusts. So it has no network and no device, may
start nothing, and may write in one folder: that of the policy in force. Under systemd
``doorsill policy apply`` does the same behind its unit.
"""

from __future__ import annotations

import time

from doorsill.config import Config
from doorsill.policy.arrival import decide
from doorsill.process.confine import Confinement, confine
from doorsill.process.stopping import listen
from doorsill.services.policies import store_of


def main(config: Config) -> None:
    """Decide, and end; ConfigError if it cannot confine itself or write the answer."""
    stop = listen()
    store = store_of(config)
    stop.check()
    confine(
        Confinement(
            "policy",
            writable=[config.policy_in_force.parent],
            visible=[config.arrived.parent],
        )
    )
    decide(store, config.arrived, config.verdict, time.time())
