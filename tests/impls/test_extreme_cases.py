"""`evaluate` on extreme cases: the right results, or one clear line."""

from dataclasses import replace

import numpy as np
import pytest

from impls.core import evaluate, reference, registry
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights

PROBLEM = Problem.parse("t3-b2-i3-h2")


def case(path, weights=1, **scales):
    """Write a case with arrays that are scaled."""
    inputs = {name: value * scales.get(name, 1) for name, value in make_inputs(PROBLEM, 1).arrays().items()}
    del inputs["target"]
    np.savez(path, **{name: value * weights for name, value in make_weights(PROBLEM).items()}, **inputs)
    return path


def result_of(name, path, dtype):
    out = path.with_suffix(".out")
    code = evaluate.main(str(registry.resolve(name).path), str(path), str(out), dtype, "cpu")
    if code:
        assert not out.exists()
        return code, {}
    with np.load(out) as found:
        return code, {name: found[name] for name in found.files}


@pytest.mark.parametrize(
    ("dtype", "scales", "line"),
    [
        ("float32", {"x": 1e300}, "c.npz: x holds 2.51666e+300, which float32 can't hold"),
        ("float32", {"x": 1e-310}, "c.npz: x holds at most 2.51666e-310, which float32 rounds to zero"),
        ("float64", {"d_output": 1e200, "x": 1e200, "weights": 1e-200}, "reference: grad_weight_ih_l0 holds NaN"),
    ],
)
def test_what_the_dtype_cannot_hold_is_one_line(dtype, scales, line, tmp_path, capsys):
    code, _ = result_of("reference", case(tmp_path / "c.npz", **scales), dtype)
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert line in said


def test_an_implementation_that_gives_nan_writes_nothing(tmp_path, capsys, monkeypatch):
    def prepare(*given):
        def with_nan(mode, result):
            results = right.to_numpy(mode, result)
            return results | {"output": np.full_like(results["output"], np.nan)}

        right = reference.prepare(*given)
        return replace(right, to_numpy=with_nan)

    monkeypatch.setattr(registry, "load", lambda implementation: type("Module", (), {"prepare": staticmethod(prepare)}))
    assert result_of("torch_lstm", case(tmp_path / "c.npz"), "float32")[0] == 2
    assert "torch_lstm: output holds NaN or infinity" in capsys.readouterr().err


def test_a_case_for_which_there_is_not_enough_memory_gives_one_line(monkeypatch, tmp_path, capsys):
    def read_case(*_):
        raise MemoryError

    monkeypatch.setattr(evaluate, "read_case", read_case)
    path = str(registry.resolve("numpy_lstm").path)
    assert evaluate.main(path, "c.npz", str(tmp_path / "o.npz"), "float32", "cpu") == 2
    assert capsys.readouterr().err == "error: there is not enough memory\n"
