"""A job of a fleet: it begins a member's run or goes on with it, and leaves what became of it."""

import contextlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import ROOT, json_files
from benchmarks.fleet import folder as fleets
from benchmarks.fleet.folder import ENDED, REGRESSION, Ended
from impls.core.processes import GRACE_SECONDS, guarded
from impls.core.text import one_line

NODE = "SLURMD_NODENAME"
RESTARTS = "SLURM_RESTART_COUNT"
POLL_SECONDS = 0.2
GIVEN_UP = -1
"""The exit code of a run that did not end by itself."""


class Job:
    """What a node does for a member of the fleet in `folder`. submitit pickles it, and calls it again when requeued."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Measure on a node of Slurm, and return the exit code."""
        from submitit.core.utils import UncompletedJobError

        try:
            return self.measure()
        except UncompletedJobError as error:  # it has reached its time limit too often
            return self._leave(GIVEN_UP, str(error))

    def measure(self) -> int:
        """Begin what the member measures or go on with it, wait until that has ended, and return its exit code."""
        place = fleets.folder_of(self.folder, self.name)
        (place / ENDED).unlink(missing_ok=True)
        if fleets.read(self.folder).command == REGRESSION:
            command = ["regression", "--options", str(fleets.gate_of(self.folder, self.name))]
        else:
            command = ["bench", "--resume", str(fleets.run_of(self.folder, self.name))]
        variables = dict(os.environ)
        variables.pop("GITHUB_STEP_SUMMARY", None)  # the fleet's
        log = place / "log.txt"
        with log.open("ab") as file:
            # in a session of its own: signals of Slurm, submitit and a terminal are for the job, which ends the run
            self.process = subprocess.Popen(
                guarded([sys.executable, "-m", "benchmarks", *command]),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=variables,
                start_new_session=True,
            )
        try:
            while (
                self.process.poll() is None
            ):  # wait() holds a lock, which a handler of a signal needs
                time.sleep(POLL_SECONDS)
        finally:
            self.end()
        lines = log.read_text(errors="replace").strip().splitlines()
        return self._leave(self.process.returncode, lines[-1] if lines else "nothing was printed")

    def _leave(self, code: int, line: str) -> int:
        """Write what has become of the run, and return its exit code."""
        node = os.environ.get(NODE) or platform.node()
        ended = Ended(node, code, one_line(line), int(os.environ.get(RESTARTS, "0")) + 1)
        json_files.write(fleets.folder_of(self.folder, self.name) / ENDED, ended)
        return code

    def end(self) -> None:
        """Let the run end. What it has measured stays."""
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)

    def checkpoint(self, *_: Any) -> Any:
        """Be called again after a preemption, or at the time limit: the run goes on with what it has."""
        import submitit

        self.end()
        return submitit.helpers.DelayedSubmission(Job(self.folder, self.name))

    __submitit_checkpoint__ = checkpoint  # the name in newer versions of submitit
