"""pytest-benchmark's JSON reads as a run of one replicate; other JSON is refused in one line."""

import json
import re

import pytest

from benchmarks import metadata, results
from benchmarks.record import read_records
from reports import frames, markdown
from reports.summary import summarise
from tests.helpers.records import QUICK, V2, refused


def pytest_benchmark_file(path, **changes):
    """As pytest-benchmark writes it for bench_lstm.py, where a test's argument is called case."""
    entries = [
        {
            "name": f"bench_lstm[{name}]",
            "params": {"implementation": name, "case": "t64-b16-i128-h128/sequence/forward"},
            "extra_info": {},
            "stats": {"median": scale * 2e-3, "data": [scale * 1e-3, scale * 2e-3, scale * 3e-3], "iterations": 7},
        }
        for name, scale in (("torch_cell", 2), ("torch_lstm", 1))
    ]
    content = {
        "machine_info": {"cpu": {"brand_raw": "a cpu", "count": 2}, "python_version": "3.12.1", "system": "Linux"},
        "commit_info": {"id": "c0ffee", "dirty": True},
        "benchmarks": entries,
        "datetime": "2026-11-24T20:05:33+01:00",
        "version": "5.3.1",
    }
    path.write_text(json.dumps(content | changes))
    return path


def test_pytest_benchmarks_json_reads_as_a_run_of_one_replicate(tmp_path):
    run = frames.read_run(pytest_benchmark_file(tmp_path / "bench.json"))
    first = run.records.iloc[0]
    assert (first["seconds"], first["hidden_size"], first["dtype"]) == (4e-3, 128, "float32")
    assert run.turns["seconds"].to_list() == [2e-3, 4e-3, 6e-3, 1e-3, 2e-3, 3e-3]
    assert run.run_id.startswith("20261124T190533-")
    found = summarise(run).set_index("implementation")
    assert found.loc["torch_cell", "ratio"] == pytest.approx(2)
    assert found.loc["torch_cell", "verdict"] == "unclear"
    assert "a cpu, 2 cores" in markdown.document(run, summarise(run))


def test_without_single_times_the_median_is_the_only_turn(tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    content = json.loads(path.read_text())
    for entry in content["benchmarks"]:
        del entry["stats"]["data"]
    path.write_text(json.dumps(content))
    assert frames.read_run(path).turns["seconds"].to_list() == [4e-3, 2e-3]


def test_a_runs_own_json_keeps_its_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "pytest_benchmark_generate_machine_info", dict)
    records = read_records(V2)
    known = metadata.parse(json.loads((QUICK / "environment.json").read_text()))
    (tmp_path / "results.json").write_text(json.dumps(results.pytest_benchmark_json(records, known)))
    run, whole = frames.read_run(tmp_path / "results.json"), frames.read_run(V2)
    assert run.metadata == known
    assert sorted(run.turns["seconds"]) == sorted(whole.turns["seconds"])
    one, other = (summarise(each).set_index("implementation")["ratio"] for each in (run, whole))
    assert one["jax_scan"] == pytest.approx(other["jax_scan"], rel=0.1)


NOT_OURS = {
    "not JSON": ("{", "is not readable JSON"),
    "a list": ("[1]", "the whole file"),
    "no benchmarks": ('{"benchmarks": []}', "benchmarks: Expected array of length >= 1"),
    "unparametrised": ('{"benchmarks": [{"params": null, "stats": {"median": 1}}]}', "benchmarks[0].params"),
    "other parameters": (
        '{"benchmarks": [{"params": {"n": 1}, "stats": {"median": 1}}]}',
        "benchmarks[0].params: Object missing required field implementation",
    ),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_other_json_is_refused(name, tmp_path):
    content, message = NOT_OURS[name]
    (tmp_path / "other.json").write_text(content)
    assert message in refused(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("forward", "benchmarks[0].params.case"),
        ("t99999999999-b1-i1-h1/sequence/forward", "holds what no record can"),
    ],
)
def test_a_case_that_is_none_is_refused(case, message, tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace("t64-b16-i128-h128/sequence/forward", case))
    assert message in refused(path)


def test_another_suites_problems_need_no_sizes(tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace("t64-b16-i128-h128", "mine"))
    assert set(frames.read_run(path).records["problem"]) == {"mine"}


@pytest.mark.parametrize("median", ["-1", "0", "5e-324", "1e308"])
def test_an_impossible_time_in_json_is_refused(median, tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace('"median": 0.004', f'"median": {median}'))
    assert "column seconds is" in refused(path)


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_date_out_of_range_is_refused(date, tmp_path):
    assert "was measured in the year " in refused(pytest_benchmark_file(tmp_path / "bench.json", datetime=date))


@pytest.mark.parametrize("error", [-1.0, 1e999])
def test_an_impossible_error_in_json_is_refused(error, tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace('"extra_info": {}', f'"extra_info": {{"error": {error}}}'))
    assert re.search("column error is|is not readable JSON", refused(path))
