"""The recurrence in C++ against the reference, and how it is compiled."""

import ctypes
import shutil

import numpy as np
import pytest

from benchmarks.worker.failures import failure_of
from impls.core import reference
from impls.core.contract import NotInstalled
from impls.families import native

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


def call(name, sizes, arrays, threads):
    """Call a function of lstm.h on NumPy arrays."""
    function = getattr(native.library("torch_lstm.cpp"), f"lstm_{name}_{arrays[0].dtype}")
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in arrays]
    function(*map(ctypes.c_int64, sizes), *pointers, ctypes.c_int(threads))


def forward(z, h0, c0, weight_hh, threads=2):
    """Return gates, output and all_c."""
    gates, output = np.full_like(z, np.nan), np.full((len(z), *h0.shape), np.nan, z.dtype)
    all_c = np.full_like(output, np.nan)
    call("forward", output.shape, [z, h0, c0, weight_hh, gates, output, all_c], threads)
    return gates, output, all_c


def drawn(rng, *shape):
    return rng.normal(size=shape)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 3, 64])
@pytest.mark.parametrize(
    ("batch", "hidden"),
    [(1, 1), (1, 7), (2, 8), (3, 9), (5, 15), (6, 16), (7, 17), (12, 31), (13, 33), (1, 64), (4, 65), (8, 129)],
)
def test_every_tail_of_a_panel_and_every_number_of_rows_and_threads(batch, hidden, threads):
    rng, steps = np.random.default_rng(batch * hidden), 4
    x, h0, c0 = drawn(rng, steps, batch, 3), drawn(rng, batch, hidden), drawn(rng, batch, hidden)
    weight_ih, weight_hh = drawn(rng, 4 * hidden, 3), drawn(rng, 4 * hidden, hidden) / np.sqrt(hidden)
    bias = drawn(rng, 4 * hidden)
    d_output, d_h, d_c = (drawn(rng, *shape) for shape in ((steps, batch, hidden), (batch, hidden), (batch, hidden)))
    want, tape = reference.layer_forward(x, h0, c0, weight_ih, weight_hh, bias, np.ones((steps, batch, 1), bool))
    wanted = reference.layer_backward(tape, d_output, d_h, d_c, weight_ih, weight_hh)

    gates, output, all_c = forward(x @ weight_ih.T + bias, h0, c0, weight_hh, threads)
    assert output == pytest.approx(want, rel=1e-12, abs=1e-13)
    assert all_c == pytest.approx(np.stack(tape.c[1:]), rel=1e-12, abs=1e-13)

    d_z, d_h0, d_c0 = np.full_like(gates, np.nan), np.full_like(h0, np.nan), np.full_like(c0, np.nan)
    arrays = [d_output, d_h, d_c, gates, c0, all_c, weight_hh, d_z, d_h0, d_c0]
    call("backward", output.shape, arrays, threads)
    assert d_h0 == pytest.approx(wanted["h0"], rel=1e-11, abs=1e-12)
    assert d_c0 == pytest.approx(wanted["c0"], rel=1e-11, abs=1e-12)
    assert d_z @ weight_ih == pytest.approx(wanted["x"], rel=1e-11, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "most"), [("float32", 4e-7), ("float64", 1e-15)])
def test_the_gates_are_precise_however_small_or_large_a_number_is(dtype, most):
    """Relative errors; sigmoid of a very negative number and tanh of a tiny one keep all their digits."""
    some = np.geomspace(1e-30, 80, 400)
    values = np.concatenate([some, -some, [0.0, 1e3, -60.0]]).astype(dtype)
    z = np.repeat(values, 4).reshape(-1, 1, 4)
    zero = np.zeros((1, 1), dtype)
    gates, _, _ = forward(z, zero, zero, np.zeros((4, 1), dtype))
    exact = z[:, 0, 0].astype(float)
    for column, want in ((0, reference.sigmoid(exact)), (2, np.tanh(exact))):
        got = gates[:, 0, column].astype(float)
        assert np.abs(got - want).max() <= most
        assert (np.abs(got - want) <= most * np.abs(want) + 1e-300).all()


@pytest.mark.slow
def test_what_is_no_number_stays_none():
    z = np.full((1, 1, 4), np.nan, np.float32)
    zero = np.zeros((1, 1), np.float32)
    assert all(np.isnan(array).all() for array in forward(z, zero, zero, np.zeros((4, 1), np.float32)))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "lstm-bench" / "native"


@pytest.mark.slow
def test_a_source_is_compiled_once(own_cache):
    first = native.build("torch_lstm.cpp")
    made = first.stat().st_mtime_ns
    assert native.build("torch_lstm.cpp") == first
    assert first.stat().st_mtime_ns == made
    assert sorted(own_cache.iterdir()) == [first.with_suffix(".seconds"), first]


@pytest.mark.slow
def test_the_seconds_of_compiling_are_told_once_to_a_later_process(own_cache, monkeypatch):
    monkeypatch.setattr(native, "BUILT", set())
    path = native.build("torch_lstm.cpp")
    assert native.seconds_before("torch_lstm.cpp") == 0  # its own first call has taken them
    native.BUILT.clear()  # as in a later process
    assert native.seconds_before("torch_lstm.cpp") == float(path.with_suffix(".seconds").read_text()) > 0
    assert native.seconds_before("torch_lstm.cpp") == 0


@pytest.mark.slow
def test_a_library_whose_seconds_are_not_known_is_compiled_again(own_cache, monkeypatch):
    monkeypatch.setattr(native, "BUILT", set())
    path = native.build("torch_lstm.cpp").with_suffix(".seconds")
    path.unlink()
    native.BUILT.clear()
    native.build("torch_lstm.cpp")
    assert float(path.read_text()) > 0


def test_a_header_that_is_missing_is_not_installed(own_cache, monkeypatch, tmp_path):
    (tmp_path / "lacking.cpp").write_text("#include <no_such_header.h>\n")
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    with pytest.raises(NotInstalled, match=r"no_such_header\.h"):
        native.build("lacking.cpp")


def test_a_source_that_cannot_be_compiled_leaves_nothing(own_cache, monkeypatch, tmp_path):
    (tmp_path / "wrong.cpp").write_text("int main( {}\n")
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    with pytest.raises(RuntimeError, match=r"g\+\+ failed: .*wrong.cpp:1.*error"):
        native.build("wrong.cpp")
    assert list(own_cache.iterdir()) == []


@pytest.mark.slow
def test_the_compiler_may_be_a_command_with_arguments(own_cache, monkeypatch):
    monkeypatch.setenv("CXX", "env LANG=C g++")
    assert native.compiler()[1:] == ["LANG=C", "g++"]
    assert native.build("torch_lstm.cpp").exists()


def test_without_a_compiler_the_row_says_not_installed(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NotInstalled, match="no C\\+\\+ compiler no-such-compiler") as caught:
        native.compiler()
    assert failure_of(caught.value).status == "not_installed"
