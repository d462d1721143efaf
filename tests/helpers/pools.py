"""Pools whose truth is known."""

import numpy as np

from benchmarks.calibration.pool import BASE, COPY, Pool

SIDES = {BASE: 0.0, COPY: 0.0, "+2%": 0.0198, "+3%": 0.0296, "+5%": 0.0488}
NAMES = tuple(f"{letter} p/w/m" for letter in "abcdef")


def simulated(
    replicates: int, sd: float, seed: int = 0, drift: float = 0.0, session_sd: float = 0.0, sessions: int = 4
) -> Pool:
    """Six benchmarks. `sd` is that of a replicate's log ratio, `drift` of what moves a whole replicate, `session_sd` of
    what moves all log ratios of a session."""
    rng = np.random.default_rng(seed)
    turns, logs, values, of_replicate = [], [], [], []
    moved = rng.normal(0, session_sd, (sessions, len(NAMES)))
    for k in range(replicates):
        shift, session = rng.normal(0, drift), k * sessions // replicates
        of_replicate.append(f"2026112{session}T000000-{session:08}")
        sides = {
            name: {
                side: np.exp(
                    shift + effect + rng.normal(0, sd / np.sqrt(2)) + rng.normal(0, 0.002, (24, 2))
                    + (moved[session, NAMES.index(name)] if side == COPY else 0.0)
                )
                for side, effect in SIDES.items()
            }
            for name in NAMES
        }  # fmt: skip
        turns.append({name: {side: found.ravel() for side, found in one.items()} for name, one in sides.items()})
        logs.append(
            {name: {side: np.log(found).min(axis=1) for side, found in one.items()} for name, one in sides.items()}
        )
        values.append(
            {name: {side: {"time": 1.0, "start": 0.1, "memory": 2.0**25} for side in SIDES} for name in NAMES}
        )
    works = dict.fromkeys(of_replicate, "arithmetic")
    return Pool(turns, logs, values, of_replicate, works)
