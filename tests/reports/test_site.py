"""The page's HTML."""

from reports import site
from reports.across_runs import across_runs
from reports.reported import Reported
from reports.summary import summarise
from tests.helpers.records import failed, record, save


def test_the_page_names_everything_and_asks_no_host(tmp_path):
    hostile = "</td><script>alert(1)</script>\"' onload=x"
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [failed(hostile, r, "error", hostile, versions=hostile) for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    reported = [Reported(run, summarise(run), [], "run")]
    written = site.page(reported, across_runs(reported))
    assert "<script>alert" not in written
    assert written.count("&lt;script&gt;") >= 3
    assert "http" not in written.replace("http-equiv", "")
    assert "src=" not in written.replace('src="data:', "")
