"""case.npz: what is read, and that everything wrong with it is told in one line."""

import numpy as np
import pytest
import torch

from impls.core import case_files
from impls.core.case_files import read_case, read_weights
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights

PROBLEM = Problem.parse("t3-b2-i4-h5-l2-bi")


def arrays(problem=PROBLEM, **changes):
    inputs = make_inputs(problem).arrays().copy()
    del inputs["target"]
    found = {**make_weights(problem), **inputs, **changes}
    return {name: value for name, value in found.items() if value is not None}


def save(path, content):
    np.savez(path, **content)
    return path


LENGTHS = Problem.parse("t3-b2-i4-h5-var")
PROJECTED = make_weights(PROBLEM.replace(proj_size=3))


def test_a_case_reads_back(tmp_path):
    case = read_case(save(tmp_path / "case.npz", arrays()), "float64")
    assert case.problem == PROBLEM.replace(dtype="float64")
    assert case.has_cotangents
    np.testing.assert_array_equal(case.weights["weight_hh_l1_reverse"], make_weights(PROBLEM)["weight_hh_l1_reverse"])
    case = read_case(save(tmp_path / "case.npz", arrays(LENGTHS, lengths=np.array([3, 1]))))
    assert case.problem == LENGTHS
    assert (case.inputs.lengths.tolist(), case.inputs.lengths.dtype) == ([3, 1], np.int64)


def test_absent_states_and_cotangents_are_zero(tmp_path):
    absent = dict.fromkeys(("h0", "c0", "d_output", "d_h_n", "d_c_n"))
    case = read_case(save(tmp_path / "case.npz", arrays(**absent)))
    assert not case.has_cotangents
    assert not case.inputs.h0.any()
    assert case.inputs.h0.shape == (4, 2, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resets": np.zeros((2, 3))}, r"resets has shape \(2, 3\); it must be \(3, 2\)"),
        ({"resets": np.full((3, 2), 2)}, "resets must be whole numbers from 0 to 1"),
        ({"resets": np.zeros((3, 2)), "lengths": np.array([3, 1])}, "resets go with one direction, and with rows"),
    ],
)
def test_resets_that_are_none_are_refused(tmp_path, changes, message):
    path = save(tmp_path / "case.npz", arrays(Problem.parse("t3-b2-i4-h5"), **changes))
    with pytest.raises(ValueError, match=message):
        read_case(path)


def test_a_file_of_torch_save_is_told_how_to_convert(tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save({name: torch.tensor(array) for name, array in make_weights(PROBLEM).items()}, path)
    with pytest.raises(ValueError, match=r"use np\.savez") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_a_prefix_of_names_is_told(tmp_path):
    path = save(tmp_path / "model.npz", {f"lstm.{name}": array for name, array in make_weights(PROBLEM).items()})
    with pytest.raises(ValueError, match=r"lstm\.weight_ih_l0 is there: take its prefix away"):
        read_weights(path)


BAD = {
    "x missing": ({"x": None}, "x is missing"),
    "x has two axes": ({"x": np.zeros((3, 2))}, r"x has shape \(3, 2\); it must be \(seq_len, batch, input_size\)"),
    "x is empty": ({"x": np.zeros((0, 2, 4))}, "none of them 0"),
    "weight missing": ({"weight_hh_l1": None}, r"weight_hh_l1 is missing; it must have shape \(20, 5\)"),
    "first weight missing": ({"weight_ih_l0": None}, "weight_ih_l0 is missing"),
    "one bias missing": ({"bias_hh_l0": None}, "bias_hh_l0 is missing"),
    "misshapen weight": (
        {"weight_ih_l0": np.zeros((4, 20))},
        r"weight_ih_l0 has shape \(4, 20\); it must be \(20, 4\)",
    ),
    "misshapen h0": ({"h0": np.zeros((2, 5))}, r"h0 has shape \(2, 5\); it must be \(4, 2, 5\)"),
    "NaN": ({"c0": np.full((4, 2, 5), np.nan)}, "c0 holds NaN or infinity"),
    "beyond float64": ({"x": np.full((3, 2, 4), np.longdouble("1e4000"))}, "x holds NaN or infinity"),
    "text": ({"h0": np.full((4, 2, 5), "a")}, "h0 holds no real numbers"),
    "complex": ({"h0": np.zeros((4, 2, 5), complex)}, "h0 holds no real numbers"),
    "misshapen projection": (
        {**PROJECTED, "h0": np.zeros((4, 2, 3)), "d_h_n": None, "d_output": None, "weight_hr_l1": np.zeros((3, 4))},
        r"weight_hr_l1 has shape \(3, 4\); it must be \(3, 5\)",
    ),
    "a projection that does not fit": (
        {**PROJECTED, "weight_hr_l0": np.zeros((2, 5))},
        r"weight_hr_l0 has shape \(2, 5\); it must be \(3, 5\)",
    ),
    "a projection without the first": ({"weight_hr_l1": np.zeros((3, 5))}, "weight_hr_l1 is not an array of a case"),
    **{
        f"lengths {wrong}": ({"lengths": np.array(wrong)}, r"lengths (must be whole numbers from 1 to|has shape)")
        for wrong in ([3, 0], [3, 4], [3, 1.5], [3, 1, 1])
    },
    "unknown name": ({"wieght": np.zeros(3)}, "wieght is not an array of a case"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_in_one_line(name, tmp_path):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message) as caught:
        read_case(save(tmp_path / "case.npz", arrays(**changes)))
    assert "\n" not in str(caught.value)


def test_a_pickle_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "boom"), "w"))

    np.savez(tmp_path / "case.npz", x=np.array([Bomb()], dtype=object))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        read_case(tmp_path / "case.npz")
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 broken", b"\x93NUMPY nonsense", "a bare array"])
def test_what_is_no_npz_file_is_refused(content, tmp_path):
    path = tmp_path / "case.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        np.save(path, np.zeros(3))
    with pytest.raises(ValueError, match=r"not a readable|does not exist"):
        read_case(path)


def test_a_small_file_that_unpacks_to_more_than_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "case.npz"
    np.savez_compressed(path, x=np.zeros(2**18))
    monkeypatch.setattr(case_files, "most_bytes", lambda: 2**20)
    assert path.stat().st_size < 2**20
    with pytest.raises(ValueError, match="unpacks to 2 MiB"):
        read_case(path)


def test_weights_of_a_checkpoint_with_its_linear_layer_and_not_with_half_of_it(tmp_path):
    content = dict(make_weights(Problem.parse("t1-b1-i4-h5"), "model"))
    problem, found = read_weights(save(tmp_path / "w.npz", content))
    assert (problem.input_size, problem.hidden_size) == (4, 5)
    assert set(found) == set(content)
    np.testing.assert_array_equal(case_files.complete(found, problem, "model", 0)["fc.weight"], content["fc.weight"])
    del content["fc.bias"]
    with pytest.raises(ValueError, match=r"fc\.bias is missing"):
        read_weights(save(tmp_path / "w.npz", content))
