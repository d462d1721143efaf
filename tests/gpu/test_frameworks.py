"""Does each framework see the card, compute in float32, and have its work waited for and traced?"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import statistics
import subprocess
import sys

import pytest

from benchmarks import ROOT
from benchmarks.judge.sanity import OF_DEVICE
from benchmarks.words import count
from impls.core.environments import import_path
from impls.core.precision import DROPPED, IEEE, TF32, framework_variables
from tests.gpu.probe import FRAMEWORKS, REPEATED

pytestmark = [pytest.mark.gpu, pytest.mark.parametrize("framework", FRAMEWORKS)]
CANARY = 2e-5
"""A product of float32 matrices is off by about 1e-6 of its largest element; with TF32's 10 bits by 3e-4."""
BUSY_SECONDS = 0.02
"""The least time for which the suite's wait must last where a probe has left work."""
PATIENCE = 90.0
"""The seconds that a process of a probe may take."""


@functools.cache
def answers(framework, device, precision):
    """What a framework says in a process with a worker's variables, and the last line of its errors."""
    inherited = {name: value for name, value in os.environ.items() if name not in DROPPED}
    path = import_path(sys.executable)
    variables = {**inherited, **framework_variables(device, "float32", precision), "PYTHONPATH": path}
    command = [sys.executable, "-P", "-m", "tests.gpu.probe", framework, device]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env=variables, cwd=ROOT, check=False
    )
    said = {key: value for line in done.stdout.splitlines() for key, value in json.loads(line).items()}
    return said, (done.stderr.strip().splitlines() or ["nothing said"])[-1]


def asked(framework, device, *keys, precision=IEEE):
    """Some answers of a framework. It fails where there is none; what is not installed is not reached."""
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    said, last = answers(framework, device, precision)
    return [said[key] if key in said else pytest.fail(last) for key in keys]


def test_it_sees_the_card(framework, setting, seen):
    (name,) = asked(framework, setting.device, "name")
    assert name == setting.card, f"it sees {name}, the driver sees {setting.card}"
    seen(setting.card)


def test_it_computes_in_float32(framework, setting, seen):
    """And the canary would tell TF32."""
    (error,) = asked(framework, setting.device, "error")
    (short,) = asked(framework, setting.device, "error", precision=TF32)
    assert error <= CANARY, f"a product is off by {error:.1e}: not float32"
    assert short > CANARY, f"with TF32 a product is off by {short:.1e} only: the canary can't tell"
    seen(f"a product is off by {error:.1e}; with TF32 by {short:.1e}")


def test_the_suite_waits_for_its_work(framework, setting, seen):
    drained, idle = asked(framework, setting.device, "drained", "idle")
    said = f"the wait lasted {drained * 1e3:.2f} ms with work, {idle * 1e3:.3f} ms without"
    assert drained > BUSY_SECONDS, said
    assert idle < drained / 10, said
    seen(said)


def test_a_call_that_waited_is_not_accused(framework, setting, seen):
    """A framework may return while the driver closes its work. The limit of the suite's wait must allow for it."""
    (waits,) = asked(framework, setting.device, "waits")
    lines = []
    accused = False
    for products, each in waits.items():
        longer, seconds = (1e6 * statistics.median(column) for column in zip(*each, strict=True))
        over = sum(OF_DEVICE.exceeded(*one) for one in each)
        accused = accused or over >= len(each) / 2
        lines.append(
            f"a call of {count(int(products), 'product')} takes {seconds:.0f} µs, the first wait after it"
            f" {longer:.1f} µs longer than the second: over the limit in {over} of {len(each)}"
        )
    said = "; ".join(lines)
    assert not accused, said
    seen(said)


def test_cupti_sees_its_work(framework, setting, seen):
    (traced,) = asked(framework, setting.device, "traced")
    if traced is None:
        seen("nothing was checked: cupti-python is not installed here, so the column GPU busy will be missing")
        return
    seconds, kernels, wall = traced
    said = f"{kernels} kernels in {seconds * 1e3:.0f} of {wall * 1e3:.0f} ms; {REPEATED} products were submitted"
    assert kernels >= REPEATED, said
    assert 0 < seconds < wall, said
    seen(said)
