"""Cases of `evaluate`, computed in this process."""

from types import SimpleNamespace

import numpy as np

from benchmarks.worker.evaluation import Evaluate
from impls.core import registry
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights


def case(path, **changes):
    """Write a case of t4-b2-i3-h5 with changed arrays; None leaves one out."""
    problem = Problem.parse("t4-b2-i3-h5")
    content = {**make_weights(problem), **make_inputs(problem).arrays(), "target": None, **changes}
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


def evaluated(name, path, dtype="float64"):
    """The results of a case file, as the worker of `evaluate` writes them."""
    out = path.with_name("results.npz")
    worker = SimpleNamespace(module=registry.load(registry.resolve(str(name))), device="cpu")
    Evaluate(str(path), dtype, str(out)).do(worker)
    with np.load(out) as results:
        return dict(results)
