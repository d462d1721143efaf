"""The page's HTML."""

from types import SimpleNamespace

from reports import rows, site
from reports.across_runs import across_runs
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import failed, record, save


def test_the_page_names_everything_and_asks_no_host(tmp_path):
    hostile = "</td><script>alert(1)</script>\"' onload=x"
    records = [record("base", r, 1e-3) for r in (0, 1)]
    records += [failed(hostile, r, "error", hostile, versions=hostile) for r in (0, 1)]
    run = save(tmp_path / "run", records)
    reported = [Report(run, summarise(run), "run")]
    written = site.page(reported, across_runs(reported))
    assert "<script>alert" not in written
    assert written.count("&lt;script&gt;") >= 3
    assert "http" not in written.replace("http-equiv", "")
    assert "src=" not in written.replace('src="data:', "")


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
