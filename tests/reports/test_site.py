"""The page's HTML."""

import re
from types import SimpleNamespace

from reports import rows, site
from reports.across_runs import across_runs
from reports.reported import Reported
from reports.summary import summarise
from tests.helpers.records import failed, record, save


def test_the_page_names_everything_and_asks_no_host(tmp_path):
    hostile = "</td><script>alert(1)</script>\"' onload=x"
    records = [record("base", r, 1e-3) for r in (0, 1)]
    records += [failed(hostile, r, "error", hostile, versions=hostile) for r in (0, 1)]
    run = save(tmp_path / "run", records)
    reported = [Reported(run, summarise(run), [], "run")]
    written = site.page(reported, across_runs(reported))
    assert "<script>alert" not in written
    assert written.count("&lt;script&gt;") >= 3
    assert "http" not in written.replace("http-equiv", "")
    assert "src=" not in written.replace('src="data:', "")


def test_the_ids_of_rows_are_the_same_each_time_and_never_twice():
    row = SimpleNamespace(
        implementation="torch_lstm", problem="t1-b1-i1-h1", workload="sequence", mode="forward", device="cpu"
    )
    ids = rows.Ids()
    assert ids.new("", row) == "t1-b1-i1-h1/sequence/forward/torch_lstm"
    assert ids.new("run", row) == "run/t1-b1-i1-h1/sequence/forward/torch_lstm"
    hostile = [
        ids.new("", SimpleNamespace(**{**vars(row), "implementation": name})) for name in ("a b", 'a"b', "a<b", "a b")
    ]
    assert hostile[0] == "t1-b1-i1-h1/sequence/forward/a-b"
    assert len(set(hostile)) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9._/-]+", each) for each in hostile)
    on_a_gpu = SimpleNamespace(**{**vars(row), "device": "cuda"})
    assert ids.new("", on_a_gpu) == "t1-b1-i1-h1/sequence/forward/cuda/torch_lstm"
