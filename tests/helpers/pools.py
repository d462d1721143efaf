"""Pools whose truth is known, and an implementation from elsewhere."""

import numpy as np

from benchmarks.calibration.pool import BASE, COPY, Identity, Pool, Replicate
from benchmarks.processors import Machine
from benchmarks.regression.decision import GateKey
from benchmarks.regression.log_ratios import Measured

SIDES = {BASE: 0.0, COPY: 0.0, "+2%": 0.0198, "+3%": 0.0296, "+5%": 0.0488}
NAMES = tuple(GateKey(f"{letter} p/w/m") for letter in "abcdef")
MINE = """
from impls.numpy_lstm import prepare as _prepare
FRAMEWORK = "numpy"
TRACK = "default"
def prepare(problem, weights, device, workload):
    return _prepare(problem, weights, device, workload)
"""
"""An implementation of one's own."""
IDENTITY = Identity(Machine(cpu="a cpu", cores=2))


def simulated(
    replicates: int, sd: float, seed: int = 0, drift: float = 0.0, round_sd: float = 0.0, rounds: int = 4
) -> Pool:
    """Six benchmarks. `sd` is that of a replicate's log ratio, `drift` of what moves a whole replicate, `round_sd` of
    what moves all log ratios of a round."""
    rng = np.random.default_rng(seed)
    moved, every = rng.normal(0, round_sd, (rounds, len(NAMES))), []
    for k in range(replicates):
        shift, number = rng.normal(0, drift), k * rounds // replicates
        sides = {
            name: {
                side: np.exp(
                    shift + effect + rng.normal(0, sd / np.sqrt(2)) + rng.normal(0, 0.002, (24, 2))
                    + (moved[number, NAMES.index(name)] if side == COPY else 0.0)
                )
                for side, effect in SIDES.items()
            }
            for name in NAMES
        }  # fmt: skip
        measured = {
            name: {
                side: Measured(np.log(turns).min(axis=1), {"time": 1.0, "start": 0.1, "memory": 2.0**25}, turns.ravel())
                for side, turns in of_side.items()
            }
            for name, of_side in sides.items()
        }
        every.append(Replicate(f"2026112{number}T000000-{number:08}", measured))
    return Pool(every, dict.fromkeys([one.round for one in every], "arithmetic"), IDENTITY)
