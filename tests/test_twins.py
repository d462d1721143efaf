"""The measurement, measured: a copy of an implementation is a tie, a copy that does 5 % more work is slower.

Five whole runs, about four minutes each, so only on demand, on a machine that does nothing else:

    python -m pytest -m twins -s tests/test_twins.py
"""

import numpy as np
import pytest

from reports import frame
from reports.summary import summarise
from tests.conftest import ROOT

REPLICATES, BLOCKS = 8, 20

HEAVIER = '''
"""torch_lstm with 5 % more work: after each call, as many small products as take a twentieth of its time."""
import statistics, time
from dataclasses import replace
import torch
from impls import contract, torch_lstm

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32",)
SHARE = 0.05


class Heavier:
    def __init__(self, call, spare):
        self.call, self.spare, self.count = call, spare, None
        self.a, self.b, self.c = (torch.ones(32, 32) for _ in range(3))

    def burn(self, count):
        with torch.no_grad():
            for _ in range(count):
                torch.mm(self.a, self.b, out=self.c)

    def calibrate(self, state):
        # on a spare state, since a step of `model` moves the parameters that are compared
        state = self.spare(state)
        calls, burns = [], []
        for _ in range(60):
            for what, argument, seconds in ((self.call, state, calls), (self.burn, 20, burns)):
                start = time.perf_counter()
                what(argument)
                seconds.append(time.perf_counter() - start)
        self.count = max(1, round(SHARE * 20 * statistics.median(calls) / statistics.median(burns)))

    def __call__(self, state):
        if self.count is None:
            self.calibrate(state)
        result = self.call(state)
        self.burn(self.count)
        return result


def prepare(problem, weights, device, workload):
    right = torch_lstm.prepare(problem, weights, device, workload)

    def spare(state):
        return state if state.optimizer is None else right.load(loaded[-1])

    loaded = []

    def load(inputs):
        loaded.append(inputs)
        return right.load(inputs)

    return replace(right, load=load, **{mode: Heavier(getattr(right, mode), spare) for mode in contract.MODES})
'''


@pytest.mark.twins
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(5))
def test_a_twin_is_a_tie_and_five_percent_more_work_is_slower(seed, tmp_path, python):
    copy, heavier = tmp_path / "copy.py", tmp_path / "heavier.py"
    copy.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    heavier.write_text(HEAVIER)
    done = python(
        "benchmarks", "run", "--impl", "impls/torch_lstm.py", "--impl", copy, "--impl", heavier,
        "--no-floor", "--seed", seed,
        "--replicates", REPLICATES, "--blocks", BLOCKS, "--out", tmp_path / "out", timeout=1100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = summarise(frame.read_run(tmp_path / "out")).set_index(["implementation", "problem", "workload", "mode"])
    twins, heavies = found.loc["copy"], found.loc["heavier"]
    half = np.log(twins["ratio_high"] / twins["ratio_low"]) / 2
    columns = ["ratio", "ratio_low", "ratio_high", "verdict"]
    print(f"\nseed {seed}", twins[columns], heavies[columns], done.stdout.splitlines()[-2], sep="\n")
    assert set(twins["verdict"]) == {"tie"}
    assert ((twins["ratio_low"] <= 1) & (twins["ratio_high"] >= 1)).mean() >= 0.9
    assert half.max() <= 0.03
    assert set(heavies["verdict"]) == {"slower"}
