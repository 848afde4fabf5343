"""All that can leave a camera.

    messages ── rules ──► codec ──► guard ──► the publisher, and so the broker
    what a      what a    bytes,    our own topic, within
    camera      field     one way   a rate and a length
    can say     may hold  to write
                          each

Each field is a small whole number, a word of a fixed list or a short hash: ``rules``
checks it, and knows how many bits it can carry. ``schema.json`` is the same as JSON
Schema, for readers. Only the guard makes what the publisher accepts, so a message of
another schema cannot be sent. ``discovery`` makes the one other packet: the description
for Home Assistant, which follows from the signed policy alone.
"""
