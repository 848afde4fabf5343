"""How the uplink starts: first the process that connects, while both are still small.

    fork the connector ─► load the uplink ─► confined? ─► run

Memory that both have at the fork is shared until one of them writes to it. So the
connector is forked before the libraries of MQTT, TLS and the outbox are loaded: forked
after them it costs 11 MB, forked before them less than a third of that.
"""

from __future__ import annotations

import gc

from doorsill.config import Config
from doorsill.process.stopping import listen
from doorsill.uplink.connector import begin
from doorsill.uplink.patience import Timing


def main(config: Config) -> None:
    """Run until SIGTERM or SIGINT; what systemd starts."""
    listen()
    broker, timing = config.broker, Timing()
    gc.freeze()  # the collector would write to the shared memory
    connector = begin(broker.host, broker.port, config.cell_socket, timing.connect_s)
    from doorsill.services import uplink

    uplink.main(config, connector, timing)
