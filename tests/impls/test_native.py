"""The recurrence in C++ against the reference, and how it is compiled."""

import ctypes
import shutil

import numpy as np
import pytest

from benchmarks.worker.failures import failure_of
from impls.core import reference
from impls.core.contract import NotInstalled
from impls.families import native

pytestmark = [pytest.mark.process, pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")]


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


@pytest.mark.parametrize(("batch", "hidden", "threads"), [(1, 7, 1), (5, 16, 2), (13, 33, 3), (5, 33, 64)])
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


def test_the_compiler_may_be_a_command_with_arguments_or_missing(folder, monkeypatch):
    monkeypatch.setenv("CXX", "env LANG=C g++")
    assert native.compiler()[1:] == ["LANG=C", "g++"]
    assert native.build("small.cpp").exists()
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NotInstalled, match="no-such-compiler") as caught:
        native.compiler()
    assert failure_of(caught.value).status == "not_installed"
