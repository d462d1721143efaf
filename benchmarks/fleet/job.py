"""A job of a fleet: it starts the member's run, or goes on with it, and leaves what became of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import submitit

from benchmarks import ROOT
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import CANCELLED, ENDED, REGRESSION, Ended
from impls.core.files import write_text
from impls.core.text import json_text, one_line

NODE_VARIABLE = "SLURMD_NODENAME"
TURN = "turn.lock"
ATTEMPTS = "attempts.txt"
GRACE_SECONDS = 20.0
"""How long a run may take to end when it is told to."""
POLL_SECONDS = 0.2
STAY_SECONDS = 3600.0
"""How long a job that Slurm has told to end waits for Slurm to end it. A job that ends by itself is not requeued."""
GIVEN_UP = -1
"""The exit code of a run that did not end by itself."""

APART = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""How a run is started: it is told to end when its job dies, and is in a session of its own. Slurm's and submitit's
signals are for the job, which tells the run."""


class Job:
    """What a node does. submitit pickles it, and calls it again when the job was requeued.

    Args:
        folder: the fleet's.
        name: the member's.
        alone: whether members share a machine, and take turns.
    """

    def __init__(self, folder: Path, name: str, alone: bool) -> None:
        self.folder = folder
        self.name = name
        self.alone = alone
        self.process: subprocess.Popen[bytes] | None = None
        self.told = False

    def __call__(self) -> int:
        """Run, and return the run's exit code."""
        place = fleets.folder_of(self.folder, self.name)
        place.mkdir(parents=True, exist_ok=True)
        (place / ENDED).unlink(missing_ok=True)
        attempts, log = _count(place / ATTEMPTS), place / "log.txt"
        code = GIVEN_UP
        signal.signal(signal.SIGTERM, self._be_told)  # of scancel, and before a preemption
        try:
            code = self._run(log)
            lines = log.read_text(errors="replace").strip().splitlines()
            said = lines[-1] if lines else "nothing said"
        except Exception as error:  # such as submitit's, where a job has reached its time limit too often
            said = str(error)
            self.end()
            raise
        finally:
            if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], SystemExit):
                ended = Ended(node_name(), code, one_line(said), attempts)
                write_text(place / ENDED, json_text(ended))
        if self.told and not self.alone:
            time.sleep(STAY_SECONDS)
        return code

    def _run(self, log: Path) -> int:
        """Start the run or go on with it, and wait until it has ended."""
        fleet, run = fleets.read(self.folder), fleets.run_of(self.folder, self.name)
        if fleet.command == REGRESSION:
            from benchmarks.regression import verdict_file

            if (run / verdict_file.FILE).exists():  # it had ended when the job was requeued
                return verdict_file.read(run).exit_code
        with _turn(self.folder) if self.alone else contextlib.nullcontext():
            if (self.folder / CANCELLED).exists():
                log.write_text("cancelled\n")
                return GIVEN_UP
            command = [fleet.python, "-m", "benchmarks", fleet.command]
            command += ["--resume", str(run)] if (run / "run.json").exists() else [*fleet.options, "--out", str(run)]
            with log.open("ab") as file:
                self.process = subprocess.Popen(
                    [fleet.python, "-c", APART, *command],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    env=_variables(fleet),
                    start_new_session=True,
                )
            while (code := self.process.poll()) is None:  # not wait(): a handler of a signal could not see its end
                time.sleep(POLL_SECONDS)
            return code

    def _be_told(self, *_: object) -> None:
        self.told = True
        self._tell(signal.SIGTERM)

    def _tell(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def end(self) -> None:
        """Let the run end. What it has measured is kept."""
        if self.process is None:
            return
        self._tell(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while not _has_ended(self.process.pid):
            if time.monotonic() > deadline:
                self._tell(signal.SIGKILL)
                return
            time.sleep(POLL_SECONDS)

    def checkpoint(self, *_: Any) -> submitit.helpers.DelayedSubmission:
        """Be called again after a preemption, or at the time limit: the run goes on with what it has."""
        self.end()
        return submitit.helpers.DelayedSubmission(Job(self.folder, self.name, self.alone))

    __submitit_checkpoint__ = checkpoint  # the name in newer versions of submitit


def _has_ended(pid: int) -> bool:
    """Whether a child has ended, whether or not somebody has waited for it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _variables(fleet: fleets.Fleet) -> dict[str, str]:
    """Return the run's environment: submitit's local executor hides every GPU."""
    variables = dict(os.environ)
    variables.pop("GITHUB_STEP_SUMMARY", None)  # the fleet's own report goes there
    if fleet.cluster == fleets.LOCAL:
        variables.pop("CUDA_VISIBLE_DEVICES", None)
        if fleet.visible is not None:
            variables["CUDA_VISIBLE_DEVICES"] = fleet.visible
    return variables


def node_name() -> str:
    """Return the name of this node: the scheduler's, or the machine's own."""
    return os.environ.get(NODE_VARIABLE) or platform.node()


def _count(path: Path) -> int:
    """Count a start in a file, and return how many there were."""
    before = int(path.read_text()) if path.exists() else 0
    write_text(path, f"{before + 1}\n")
    return before + 1


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Wait until no other member of the fleet runs on this machine: two at a time would disturb each other."""
    with (folder / TURN).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
