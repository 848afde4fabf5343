"""The process that speaks: from vision's cells to the broker. Read this first.

    vision ─► Intake ─► Outbox ─► Delivery ─► EgressGuard ─► Publisher ─► broker
               Tally                          ▲
                       Voice (state, live, health, description)

It does not forward what vision says. It counts again (``tally``), within the bounds of
what people can do on foot (``pieces``), and sends at moments of its own (``pace``).
``capacity`` computes how much could still be hidden in the messages.

One thread, one loop; paho's own thread does the network. The loop waits for the socket
of vision and for the broker's answers. It has no camera and gets no pixel.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from doorsill.channels.control import Counter
from doorsill.config import Config
from doorsill.documents.folders import make_folder
from doorsill.policy.obedience import Obedience, declare
from doorsill.process.confine import Confinement, confine
from doorsill.process.stopping import listen
from doorsill.process.supervisor import Supervisor
from doorsill.services.policies import store_of
from doorsill.services.release import release_of
from doorsill.services.uplink_loop import Uplink
from doorsill.services.uplink_opening import build
from doorsill.uplink.connector import Connector
from doorsill.uplink.patience import Timing

log = logging.getLogger(__name__)

STEP_S = 0.5  # longest wait of the loop, so that a signal is seen soon
TIME_SOURCE = Path("/run/systemd/timesync")  # says whether NTP has set the clock
HEAR_OUT_S = 1.0  # for the last windows under the old policy


def main(config: Config, connector: Connector, timing: Timing) -> None:
    """Run until SIGTERM or SIGINT; ``uplink_start`` has started ``connector``.

    Raises DoorsillError if it must not go on.
    """
    obedience = Obedience(config.policy_in_force)
    policy = store_of(config).load()
    uplink = build(config, policy, release_of(config, policy), timing, connector)
    declare(config.declaration("uplink"), policy.digest)
    uplink.counter = Counter(config.uplink_socket, ("status",))
    supervisor = Supervisor(os.environ)
    connector.ready()
    make_folder(config.arrived.parent)
    confine(
        Confinement(
            "uplink",
            writable=[config.outbox.parent, config.arrived.parent],
            visible=visible(config),
        )
    )
    run(uplink, supervisor, obedience, connector)


def visible(config: Config) -> list[Path]:
    """What the uplink reads besides the program: policy, certificates, the machine."""
    broker = config.broker
    of_policy = (config.policy_in_force, config.controller_key)
    folders = [each.parent for each in (*of_policy, broker.ca, broker.certificate)]
    return [*folders, config.device.run, Path("/sys"), TIME_SOURCE]


def run(
    uplink: Uplink,
    supervisor: Supervisor,
    obedience: Obedience | None = None,
    connector: Connector | None = None,
) -> None:
    """Turn the loop until a signal asks to stop, or another policy is in force.

    Each turn is a sign of life. Raises UplinkError if ``connector`` has ended.
    """
    stop = listen()
    uplink.delivery.publisher.start()
    supervisor.ready("at work")
    while not stop.asked:
        uplink.step(STEP_S)
        supervisor.alive(time.monotonic())
        if connector is not None:
            connector.require()
        if obedience is not None and obedience.is_replaced():
            log.info("another policy is in force; to obey it, the uplink starts again")
            _hear_out(uplink)
            break
    supervisor.stopping()
    uplink.leave()


def _hear_out(uplink: Uplink) -> None:
    """Wait for vision, which also ends: it closes its window, sends it, and leaves."""
    deadline = time.monotonic() + HEAR_OUT_S
    while uplink.intake.link is not None and time.monotonic() < deadline:
        uplink.step(0.05)
