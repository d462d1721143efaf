"""The first steps: does each framework see the card, compute in float32, and have its work waited for?"""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec

from benchmarks import ROOT
from benchmarks.gpu_check.probe import REPEATED, Probe
from benchmarks.gpu_check.setting import Missed, Setting, Unreached
from benchmarks.metadata import name_and_driver
from benchmarks.worker.protocol import Failed
from impls.core.precision import IEEE, OVERRIDE, TF32, framework_variables
from impls.core.text import one_line

CANARY = 2e-5
"""A product of float32 matrices is off by about 1e-6 of its largest element; with TF32's 10 bits by 3e-4."""
BUSY_SECONDS = 0.02
"""The least time for which the suite's wait must last where a probe has left work."""
PATIENCE = 90.0
"""The seconds that a process of a probe may take."""


def decoded(line: str) -> Probe | Failed:
    """Return what a process of a probe has printed.

    Raises:
        msgspec.DecodeError: where it is neither.
    """
    return msgspec.json.decode(line, type=Probe | Failed)


def probed(setting: Setting, framework: str, tf32: bool = False) -> Probe:
    """Ask a framework, once, in a process with a worker's variables; with TF32 switched on where that is asked for.

    Raises:
        Unreached: where it is not installed.
        Missed: where it does not see the device, or something else goes wrong.
    """
    key = framework, tf32
    if key not in setting.kept:
        setting.kept[key] = _asked(setting, framework, tf32)
    answer = setting.kept[key]
    if isinstance(answer, Failed):
        raise (Unreached if answer.status == "not_installed" else Missed)(answer.reason)
    return answer  # type: ignore[no-any-return]


def _asked(setting: Setting, framework: str, tf32: bool) -> Probe | Failed:
    inherited = {name: value for name, value in os.environ.items() if name != OVERRIDE}
    precise = framework_variables(setting.device, "float32", TF32 if tf32 else IEEE)
    variables = {**inherited, **precise, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "benchmarks.gpu_check.probe", framework, setting.device]
    seconds = setting.left(PATIENCE)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, env=variables, cwd=ROOT, check=False
        )
    except subprocess.TimeoutExpired:
        return Failed("timed_out", f"no answer within {seconds:.0f} s")
    try:
        return decoded((done.stdout.splitlines() or [""])[-1])
    except msgspec.DecodeError:
        return Failed("crashed", f"no answer: {one_line((done.stderr.splitlines() or ['nothing said'])[-1])}")


def sees_card(framework: str, setting: Setting) -> str:
    """Does a framework see the card that the driver sees?"""
    if setting.card is None:
        raise Unreached("the driver sees no card, or nvidia-smi is not there")
    name = probed(setting, framework).name
    if name != name_and_driver(setting.card)[0]:
        raise Missed(f"it sees {name}, the driver sees {setting.card}")
    return setting.card


def full_precision(framework: str, setting: Setting) -> str:
    """Are products computed in float32, and would the canary tell TF32?"""
    found, short = (probed(setting, framework, tf32) for tf32 in (False, True))
    if found.error is None or short.error is None:
        raise Missed(found.fault or short.fault)
    if not found.error <= CANARY:
        raise Missed(f"a product is off by {found.error:.1e}: not float32 ({found.precision})")
    if not short.error > CANARY:
        raise Missed(f"with TF32 a product is off by {short.error:.1e} only: the canary can't tell ({short.precision})")
    return f"a product is off by {found.error:.1e}; with TF32 by {short.error:.1e}"


def waits(framework: str, setting: Setting) -> str:
    """Does the suite's wait see a framework's work?"""
    found = probed(setting, framework)
    if found.drained is None or found.idle is None:
        raise Missed(found.fault)
    if not (found.drained > BUSY_SECONDS and found.idle < found.drained / 10):
        raise Missed(f"the wait lasted {found.drained * 1e3:.2f} ms with work, {found.idle * 1e3:.2f} ms without")
    return f"{found.drained * 1e3:.0f} ms with work, {found.idle * 1e6:.0f} µs without"


def traces(framework: str, setting: Setting) -> str:
    """Does CUPTI see a framework's work?"""
    found = probed(setting, framework)
    if found.idle is None or (found.fault and found.traced is None):
        raise Missed(found.fault)
    if found.traced is None or found.wall is None:
        return "cupti-python is not installed here, so the column GPU busy will be missing"
    (seconds, kernels), wall = found.traced, found.wall
    said = f"{kernels} kernels in {seconds * 1e3:.0f} of {wall * 1e3:.0f} ms"
    if not (kernels >= REPEATED and 0 < seconds < wall):
        raise Missed(f"{said}; {REPEATED} products were submitted")
    return said
