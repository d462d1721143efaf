"""Gates on simulated replicates whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.calibration.replay import run_gate
from benchmarks.regression.decision import MOST, Finding, LogRatios, Rule, Sampling

TIME = Rule("time", 0.02)
SDS = (0.004, 0.006, 0.008, 0.015, 0.003, 0.01)


def draw(rng: np.random.Generator, sd: float, effect: float, n: int, tails: bool = False) -> tuple[float, ...]:
    """Return n log ratios; with `tails`, many of them far away."""
    noise = rng.standard_t(3, n) / math.sqrt(3) if tails else rng.standard_normal(n)
    return tuple(effect + sd * noise)


def gate(
    rng: np.random.Generator, sds: Sequence[float], effects: Sequence[float], tails: bool = False, rule: Rule = TIME
) -> tuple[set[str], list[Finding]]:
    """Run the whole decision. Return the names of what it calls slower, and all findings."""
    logs = {f"b{k}": draw(rng, sd, effects[k], MOST, tails) for k, sd in enumerate(sds)}
    heads = {f"b{k}": math.exp(effect) for k, effect in enumerate(effects)}
    done = run_gate(logs, Sampling(len(sds)), lambda name, n: [LogRatios(name, rule, logs[name][:n], 1.0, heads[name])])
    return done.slower([rule.metric]), done.findings
