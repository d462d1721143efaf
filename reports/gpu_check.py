"""What gpu-check said of the GPU that a run was measured on, where its file lies beside the run's."""

from __future__ import annotations

from benchmarks import json_files
from benchmarks.gpu_check.setting import FAILED, FILE, NOT_REACHED, PASSED, Check
from benchmarks.words import listed
from impls.core.text import one_line
from reports.frames import Run


def summary(run: Run) -> list[str]:
    """Return a line: how many steps passed, and which did not; nothing where there is no readable file."""
    try:
        check = json_files.read(run.folder / FILE, Check)
    except ValueError:
        return []
    results = [line.result for line in check.lines]
    said = ", ".join(f"{results.count(result)} {result}" for result in (PASSED, FAILED, NOT_REACHED))
    bad = [one_line(f"{line.step}: {line.said}", 120) for line in check.lines if line.result == FAILED]
    what = "gpu-check, tried without a GPU" if check.simulated else f"gpu-check of {check.gpu or 'no GPU'}"
    return [f"{what}, {check.date[:10]}: {said}" + (f"; failed: {listed(bad)}" if bad else "")]
