"""The process of an arm: `python -m benchmarks.worker FD`. It does what the runner requests over a socket.

No framework is imported before the process is bound to its processors, since frameworks make their thread pools at
import.
"""

import ctypes
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.worker import bits, evaluation, profiles, protocol, requests  # noqa: F401 - they define requests
from benchmarks.worker.worker import Worker
from impls.core.processes import die_with_parent

PR_SET_CHILD_SUBREAPER = 36


def serve(fd: int) -> None:
    """Answer requests until the socket closes."""
    with socket.socket(fileno=fd) as channel, channel.makefile("rwb") as lines:

        def send(reply: protocol.Reply[Any] | protocol.Failed) -> None:
            lines.write(protocol.line(reply))
            lines.flush()

        start = msgspec.json.decode(lines.readline(), type=protocol.Start)
        die_with_parent(start.runner)
        # the runner finds every process that it leaves below it
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        # also under nohup: its helpers end with it where they are stopped
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.sched_setaffinity(0, start.cores)
        try:
            worker = Worker(start)
            send(protocol.Reply(worker.ready))
        except Exception as error:
            send(protocol.failure_to_import(error, Path(start.path)))
            return
        for text in lines:
            try:
                answer = protocol.read_request(text).do(worker)
                worker.wait()  # what was submitted would run on against the next arm
            except Exception as error:
                send(protocol.failure_of(error))
            else:
                send(protocol.Reply(answer))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
