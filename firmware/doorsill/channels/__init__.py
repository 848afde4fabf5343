"""All that crosses a wall between two processes of a camera.

                     cell_link: counts, health, sums of looks
    ┌──────────┐  ──────────────────────────────────────────►  ┌──────────┐
    │  vision  │             ◄── acknowledgements ──           │  uplink  │
    └──────────┘                                               └──────────┘
         │  ▲                                                   ▲  ▲    ▲
    crops│  │crops: lease            note: how the reader is ───┘  │    │
         ▼  │                           │   tray: certificates ────┘    │
    ┌──────────┐ ───────────────────────┴────────┘                      │
    │  vault   │ ◄──────── control: a question of a person ─────────────┘
    └──────────┘

Nothing else passes: the kernel refuses every other way (``process/``). Read ``crops``
and ``cell_link`` for the layouts. Each message has one fixed length and no field that
could hold a text. From the vault to the uplink go two files that the vault alone writes
and the uplink reads: a word on the reader, and messages of the wire with certificates
(``tray``), which have no field for a text either. Nothing goes back. The kernel says
which user is at the other end (``listening``), and a process of any other user is sent
away.
"""
