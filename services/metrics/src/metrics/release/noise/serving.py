"""The noise process: answers requests in order until the other side is gone."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

from metrics.release.noise.frames import MAX_FRAME_BYTES, answer, read_request

if TYPE_CHECKING:
    from metrics.release.noise.sampler import Sampler


def serve(connection: socket.socket) -> None:
    """Draw what is asked for over `connection`, until the process at its other end closes it or dies. Runs as the
    target of a spawned process. An interrupt from the terminal is left to the owner of the process."""
    from metrics.release.noise.sampler import Sampler  # here, so that the owner never loads PyDP

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection.setblocking(True)
    sampler = Sampler()
    with connection, connection.makefile("rwb") as lines:
        lines.write(b"%d\n" % os.getpid())
        lines.flush()
        while (line := lines.readline(MAX_FRAME_BYTES)).endswith(b"\n"):
            lines.write(_answered(sampler, line))
            lines.flush()


def _answered(sampler: Sampler, line: bytes) -> bytes:
    number, asked = read_request(line)
    try:
        return answer(number, [sampler.draw(one) for one in asked])
    except (ValueError, RuntimeError) as refusal:  # PyDP refuses by RuntimeError
        return answer(number, None, str(refusal))
