"""The sites that tests of reports share, each built once."""

from unittest.mock import patch

import pytest
from click.testing import CliRunner

from reports import frames, history
from reports.__main__ import cli
from reports.publishing import rounds
from tests.helpers.records import PUBLISHED, save, trained


def built(out):
    done = CliRunner().invoke(cli, ["site", "--out", str(out)], standalone_mode=False)
    assert done.return_value == 0, done.stderr


@pytest.fixture(scope="session")
def small_site(tmp_path_factory):
    """The site of two small runs of two machines, `a` and `b`; `b` has a shape that `a` lacks.

    Of `a`, an earlier round is on record.
    """
    folder = tmp_path_factory.mktemp("small")
    for day, (name, problems) in enumerate({"a": ["t1-b1-i1-h1"], "b": ["t1-b1-i1-h1", "t2-b1-i1-h1"]}.items(), 1):
        run_id = f"2026010{day}T000000-{name}"
        arms = [
            (each, s, mode, p)
            for p in problems
            for mode in ("forward", "train_step")
            for each, s in (("base", 1e-3), ("other", 2e-3))
        ]
        rows = [row for each, s, mode, p in arms for row in trained(each, s, mode, problem=p, run_id=run_id)]
        save(folder / "runs" / name, rows, run_id, cpu=f"cpu {name}")
        if name == "a":
            earlier = "20251231T000000-a"
            rows = [{**row, "run_id": earlier} for row in rows]
            rounds.record([save(folder / "earlier", rows, earlier, cpu="cpu a")], folder / "runs")
    rounds.record(frames.read_runs(frames.folders(folder / "runs"))[0], folder / "runs")
    on_record = folder / "runs" / "rounds.parquet"
    with patch("reports.__main__.PUBLISHED", folder / "runs"), patch("reports.history.FILE", on_record):
        built(folder / "site")
    history.read.cache_clear()
    return folder / "site"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The site of the published runs."""
    out = tmp_path_factory.mktemp("published") / "site"
    built(out)
    assert len(list((out / "runs").iterdir())) == len(PUBLISHED)
    return out
