"""The rows of the page."""

from types import SimpleNamespace

from reports import rows


def test_the_id_of_a_row_names_it_and_fits_an_address():
    row = SimpleNamespace(
        implementation="torch_lstm", problem="t1-b1-i1-h1", workload="sequence", mode="forward", device="cpu"
    )
    assert rows.address("", row) == "t1-b1-i1-h1/sequence/forward/torch_lstm"
    assert rows.address("run", row) == "run/t1-b1-i1-h1/sequence/forward/torch_lstm"
    hostile = rows.address("", SimpleNamespace(**{**vars(row), "implementation": 'a" b<'}))
    assert hostile == "t1-b1-i1-h1/sequence/forward/a-b-"
    on_a_gpu = SimpleNamespace(**{**vars(row), "device": "cuda"})
    assert rows.address("", on_a_gpu) == "t1-b1-i1-h1/sequence/forward/cuda/torch_lstm"
