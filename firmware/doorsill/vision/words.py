"""All that the vision process can say on standard error once it sees.

Each is a sentence without a number in it. See ``process/scribe.py``; a test compares
the list with what the modules of the process log and raise.
"""

from __future__ import annotations

from doorsill.process.scribe import Sentence

WORDS = (
    Sentence("asked to stop", "asked to stop; the running window is closed"),
    Sentence(
        "another policy is in force",
        "another policy is in force; to obey it, this process starts again",
    ),
    Sentence("the recording is over", "the recording is over"),
    Sentence("the shop is closed", "the shop is closed"),
    Sentence("the shop is", "the shop is open"),
    Sentence("uplink connected", "uplink connected"),
    Sentence("uplink went away", "uplink went away"),
    Sentence("vault connected", "vault connected"),
    Sentence("vault gone", "vault gone"),
    Sentence(
        "refused as", "a process of another user is refused at a socket", "WARNING"
    ),
    # What a webcam says while it is opened; see drivers/camera/video.py, DEVICE_STEPS.
    Sentence(
        "no camera is attached there",
        "no camera is attached at camera.source; `doorsill check` looks there as well",
        "WARNING",
    ),
    Sentence(
        "join the group video",
        "the camera cannot be opened: let this user join the group video",
        "ERROR",
    ),
    Sentence(
        "another program uses",
        "the camera cannot be opened: another program uses it; end that program",
        "ERROR",
    ),
    Sentence("this is no camera", "camera.source is no camera", "ERROR"),
    Sentence("camera is gone", "the camera is gone; plug it in again", "WARNING"),
    Sentence(
        "it came after this process",
        "the camera came after this process confined itself; a new one opens it",
        "WARNING",
    ),
    Sentence("no frame within", "the camera stopped: it gives no frames", "ERROR"),
    Sentence("it is tried again", "there is no camera; it is tried again", "WARNING"),
    Sentence(
        "codec that is not known",
        "the recording is in a codec that is not known here",
        "ERROR",
    ),
    Sentence("camera is there after", "the camera is there"),
    Sentence("camera does not close", "the camera does not close", "WARNING"),
    Sentence("camera stopped", "the camera stopped", "ERROR"),
    Sentence("camera", "the camera cannot be used", "ERROR"),
    Sentence("damaged|incomplete|cut short", "the recording is damaged", "ERROR"),
    Sentence(" ended ", "the recording ended before its end", "ERROR"),
    Sentence(
        "holds|is empty|cannot be opened|codec", "the recording is no use", "ERROR"
    ),
    Sentence(" is .*; ", "the recording is too large or too small", "ERROR"),
    Sentence("system call", "the kernel cannot filter its system calls", "ERROR"),
    Sentence(
        r"^Traceback|^(\w+\.)*\w*(Error|Exception)\b", "a fault of the program", "ERROR"
    ),
)
