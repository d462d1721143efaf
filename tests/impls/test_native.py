"""The recurrence in C++ against the reference, and how it is compiled."""

import ctypes
import shutil

import numpy as np
import pytest

from impls.core import reference
from impls.core.contract import NotInstalled
from impls.families import native

pytestmark = [pytest.mark.process, pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")]


def call(name, x, hidden, arrays, threads):
    """Call a function of lstm.h on NumPy arrays, in the order of its struct; None is one that is left out."""
    function = getattr(native.library("torch_lstm.cpp"), f"lstm_{name}_{x.dtype}")
    values = *x.shape, hidden, *(0 if array is None else array.ctypes.data for array in arrays)
    function((ctypes.c_int64 * len(values))(*values), ctypes.c_int(threads))


def forward(x, h0, c0, weight_ih, weight_hh, bias=None, threads=2, keep=True):
    """Return output, h_n, c_n, gates and all_c; the last two are None where they are not kept."""
    (steps, batch, _), hidden = x.shape, h0.shape[1]
    made = [np.full(shape, np.nan, x.dtype) for shape in ((steps, batch, hidden), h0.shape, h0.shape)]
    kept = [np.full((steps, batch, width), np.nan, x.dtype) if keep else None for width in (4 * hidden, hidden)]
    call("forward", x, hidden, [x, h0, c0, weight_ih, weight_hh, bias, *made, *kept], threads)
    return *made, *kept


def drawn(rng, *shape):
    return rng.normal(size=shape)


@pytest.mark.parametrize(
    ("batch", "inputs", "hidden", "threads"),
    [(1, 3, 7, 1), (5, 70, 16, 2), (13, 3, 33, 3), (67, 5, 33, 2), (5, 3, 33, 64)],
)
def test_every_tail_of_a_panel_and_every_number_of_rows_and_threads(batch, inputs, hidden, threads):
    rng, steps = np.random.default_rng(batch * hidden), 4
    x, h0, c0 = drawn(rng, steps, batch, inputs), drawn(rng, batch, hidden), drawn(rng, batch, hidden)
    weight_ih, weight_hh = drawn(rng, 4 * hidden, inputs), drawn(rng, 4 * hidden, hidden) / np.sqrt(hidden)
    bias = drawn(rng, 4 * hidden)
    d_output, d_h, d_c = (drawn(rng, *shape) for shape in ((steps, batch, hidden), (batch, hidden), (batch, hidden)))
    want, tape = reference.layer_forward(x, h0, c0, weight_ih, weight_hh, bias, np.ones((steps, batch, 1), bool))
    wanted = reference.layer_backward(tape, d_output, d_h, d_c, weight_ih, weight_hh)

    output, h_n, c_n, gates, all_c = forward(x, h0, c0, weight_ih, weight_hh, bias, threads)
    assert output == pytest.approx(want, rel=1e-12, abs=1e-13)
    assert all_c == pytest.approx(np.stack(tape.c[1:]), rel=1e-12, abs=1e-13)
    for got, made in zip(
        forward(x, h0, c0, weight_ih, weight_hh, bias, threads, keep=False), (output, h_n, c_n), strict=False
    ):
        assert (got == made).all()

    names = "x", "h0", "c0", "weight_ih", "weight_hh", "bias"
    gradients = [np.full_like(array, np.nan) for array in (x, h0, c0, weight_ih, weight_hh, bias)]
    given = [d_output, d_h, d_c, x, h0, c0, weight_ih, weight_hh, output, gates, all_c]
    call("backward", x, hidden, [*given, *gradients], threads)
    for name, got in zip(names, gradients, strict=True):
        assert got == pytest.approx(wanted[name], rel=1e-11, abs=1e-12), name


@pytest.mark.parametrize(("dtype", "most"), [("float32", 4e-7), ("float64", 1e-15)])
def test_the_gates_are_precise_however_small_or_large_a_number_is(dtype, most):
    """Relative errors; sigmoid of a very negative number and tanh of a tiny one keep all their digits."""
    some = np.geomspace(1e-30, 80, 400)
    values = np.concatenate([some, -some, [0.0, 1e3, -60.0]]).astype(dtype)
    zero = np.zeros((1, 1), dtype)
    *_, gates, _ = forward(values.reshape(-1, 1, 1), zero, zero, np.ones((4, 1), dtype), np.zeros((4, 1), dtype))
    exact = values.astype(float)
    for column, want in ((0, reference.sigmoid(exact)), (2, np.tanh(exact))):
        got = gates[:, 0, column].astype(float)
        assert np.abs(got - want).max() <= most
        assert (np.abs(got - want) <= most * np.abs(want) + 1e-300).all()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of sources, with a small one, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    monkeypatch.setattr(native, "BUILT", set())
    (tmp_path / "small.cpp").write_text('extern "C" int one() { return 1; }\n')
    return tmp_path


def test_a_source_is_compiled_once_and_a_later_process_is_told_the_seconds_once(folder):
    path = native.build("small.cpp")
    made, seconds = path.stat().st_mtime_ns, path.with_suffix(".seconds")
    assert native.seconds_before("small.cpp") == 0  # its own first call has taken them
    native.BUILT.clear()  # as in a later process
    assert native.seconds_before("small.cpp") == float(seconds.read_text()) > 0
    assert native.seconds_before("small.cpp") == 0
    assert path.stat().st_mtime_ns == made
    assert sorted(path.parent.iterdir()) == [seconds, path]
    seconds.unlink()
    assert native.build("small.cpp") == path
    assert float(seconds.read_text()) > 0  # compiled again, since they were not known


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("#include <no_such_header.h>\n", NotInstalled, "no_such_header"),
        ("int main( {}\n", RuntimeError, "wrong.cpp:1"),
    ],
)
def test_a_source_that_cannot_be_compiled_leaves_nothing(folder, text, error, message):
    (folder / "wrong.cpp").write_text(text)
    with pytest.raises(error, match=message):
        native.build("wrong.cpp")
    assert list((folder / "cache" / "lstm-bench" / "native").iterdir()) == []


def test_the_compiler_may_be_a_command_with_arguments(folder, monkeypatch):
    monkeypatch.setenv("CXX", "env LANG=C g++")
    assert native.compiler()[1:] == ["LANG=C", "g++"]
    assert native.build("small.cpp").exists()
