"""An .npz file that somebody gives: what its headers say is checked before anything is read."""

import io
import os
import socket
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
        ([("x.npy", ONE), ("x.npy", TWO)], "holds x twice"),
        ([("x.npy", ONE), ("y.npy", ONE), ("x", TWO)], "holds x twice"),
        ([("x.npy", npy(np.ones(3), (2,)))], "x is longer than its header says"),
        ([("x.npy", npy(np.ones(3), (4,)))], "not a readable"),
        ([("x.npy", npy(np.ones(3), (-3,)))], "shape"),
        ([("x.npy", b"\x93NUMPY\x02\x00" + (2**30).to_bytes(4, "little") + b" " * 99)], "a header that is too long"),
        ([("x.npy", b"\x93NUMPY\x01\x00" + b"\xff\xff" + b" " * 99)], "a header that is too long"),
        ([("x.npy", npy(np.ones(3), (2**44, 2**44)))], "a quarter of this machine's memory"),
        ([(f"{k}.npy", npy(np.ones(1), (2**28,))) for k in range(1000)], "a quarter of this machine's memory"),
        ([(f"{k}.npy", b"") for k in range(10_001)], "holds 10,001 arrays; at most 10,000 are read"),
    ],
)
def test_headers_are_checked_before_anything_is_read(tmp_path, members, message):
    with pytest.raises(ValueError, match=message):
        read_npz(zipped(tmp_path / "case.npz", *members))


def test_a_zip_bomb_is_refused_by_what_its_header_admits_to(tmp_path, monkeypatch):
    path = zipped(tmp_path / "bomb.npz", ("x.npy", npy(np.zeros(2**20))))
    assert path.stat().st_size < 2**15
    assert read_npz(path)["x"].shape == (2**20,)  # the control
    monkeypatch.setattr(npz, "most_bytes", lambda: 2**22)
    with pytest.raises(ValueError, match=r"take 0\.0 GiB or more"):
        read_npz(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "socket"])
def test_what_is_no_regular_file_is_never_waited_for(tmp_path, kind):
    path = tmp_path / kind
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        elif kind == "socket":
            listening.bind(str(path))
        else:
            path.mkdir()
        with pytest.raises(ValueError, match=r"not a regular file|can't be read") as caught:
            read_npz(path)
    assert str(path) in str(caught.value)


@given(st.dictionaries(st.from_regex("[a-z_]{1,8}", fullmatch=True), npst.arrays(np.float32, npst.array_shapes())))
def test_what_numpy_writes_is_read(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    kept = {name: np.nan_to_num(array) for name, array in arrays.items() if name != "file"}
    np.savez_compressed(path, **kept)
    found = read_npz(path)
    assert set(found) == set(kept)
    assert all(np.array_equal(found[name], kept[name]) for name in kept)
