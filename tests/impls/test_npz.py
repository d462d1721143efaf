"""An .npz file that somebody gives."""

import io
import warnings
import zipfile

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impls.core import npz
from impls.core.npz import read_npz


def npy(array, declared=None):
    """The bytes of an .npy file, whose header may say another shape."""
    file = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(file, header if declared is None else {**header, "shape": declared})
    return file.getvalue() + array.tobytes()


def zipped(path, *members):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of a name twice
        for name, content in members:
            archive.writestr(name, content)
    return path


ONE, TWO = npy(np.ones(3)), npy(np.zeros(3))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("x.npy", ONE), ("x.npy", TWO)], "two arrays of the same name"),
        ([("x.npy", npy(np.ones(3), (4,)))], "not a readable"),
        ([("x.npy", npy(np.ones(3), (2**44, 2**44)))], "not a readable"),
        ([("x.npy", npy(np.array(["a"])))], "x holds no real numbers"),
        ([("x.npy", npy(np.array([1.0, np.inf])))], "x holds NaN or infinity"),
        ([("archive/data.pkl", b"")], "a file of torch.save; convert it with"),
    ],
)
def test_what_holds_no_plain_finite_arrays_is_refused(tmp_path, members, message):
    with pytest.raises(ValueError, match=message):
        read_npz(zipped(tmp_path / "case.npz", *members))


def test_a_zip_bomb_is_refused_by_what_its_header_admits_to(tmp_path, monkeypatch):
    path = zipped(tmp_path / "bomb.npz", ("x.npy", npy(np.zeros(2**20))))
    assert path.stat().st_size < 2**15
    assert read_npz(path)["x"].shape == (2**20,)  # the control
    monkeypatch.setattr(npz, "most_bytes", lambda: 2**22)
    with pytest.raises(ValueError, match=r"take 0\.0 GiB; at most"):
        read_npz(path)


@given(st.dictionaries(st.from_regex("[a-z_]{1,8}", fullmatch=True), npst.arrays(np.float32, npst.array_shapes())))
def test_what_numpy_writes_is_read(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    kept = {name: np.nan_to_num(array) for name, array in arrays.items() if name != "file"}
    np.savez_compressed(path, **kept)
    found = read_npz(path)
    assert set(found) == set(kept)
    assert all(np.array_equal(found[name], kept[name]) for name in kept)
