"""The JSON of `pytest benchmarks` reads as a run of one replicate; other JSON is refused in one line."""

import json

import pytest

from reports import frames, tables
from reports.report import Report
from reports.summary import summarise
from tests.helpers.processes import python
from tests.helpers.records import refused


def pytest_benchmark_file(path, **changes):
    """As pytest-benchmark writes it for bench_lstm.py."""
    entries = [
        {
            "name": f"bench_lstm[{name}]",
            "params": {"implementation": name, "case": "t64-b16-i128-h128/sequence/forward"},
            "extra_info": {"device": "cpu"},
            "stats": {"median": scale * 2e-3, "data": [scale * 1e-3, scale * 2e-3, scale * 3e-3], "iterations": 7},
        }
        for name, scale in (("torch_cell", 2), ("torch_lstm", 1))
    ]
    machine = {"cpu": {"brand_raw": "a cpu", "count": 2}, "python_version": "3.12.1", "system": "Linux", "release": "6"}
    content = {
        "machine_info": machine,
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
    assert (first["seconds"], first["hidden_size"], first["dtype"], first["device"]) == (4e-3, 128, "float32", "cpu")
    assert run.turns["seconds"].to_list() == [2e-3, 4e-3, 6e-3, 1e-3, 2e-3, 3e-3]
    assert run.run_id.startswith("20261124T190533-")
    found = summarise(run).set_index("implementation")
    assert found.loc["torch_cell", "ratio"] == pytest.approx(2)
    assert found.loc["torch_cell", "verdict"] == "unclear"
    assert "a cpu, 2 cores" in tables.markdown(Report(run, summarise(run)))


def test_without_single_times_the_median_is_the_only_turn(tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    content = json.loads(path.read_text())
    for entry in content["benchmarks"]:
        del entry["stats"]["data"]
    path.write_text(json.dumps(content))
    assert frames.read_run(path).turns["seconds"].to_list() == [4e-3, 2e-3]


@pytest.mark.process
def test_the_suites_own_file_reads(tmp_path):
    path = tmp_path / "own.json"
    words = (
        "-q",
        "-k",
        "torch_lstm and not lstmcell and t64-b1-i128-h128/sequence/forward",
        "--benchmark-max-time",
        "0.01",
    )
    done = python("-m", "pytest", "benchmarks", *words, f"--benchmark-json={path}", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert set(frames.read_run(path).records["implementation"]) == {"torch_lstm"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benchmarks": []}, "holds no record"),
        ({"benchmarks": [{"params": {"n": 1}}]}, "benchmarks[0].params: Object missing required field implementation"),
        ({"machine_info": None}, "machine_info: Expected object, got null"),
        ({"datetime": "yesterday"}, "datetime: Invalid RFC3339"),
    ],
)
def test_other_json_is_refused(changes, message, tmp_path):
    assert message in refused(pytest_benchmark_file(tmp_path / "other.json", **changes))


@pytest.mark.parametrize("median", ["-1", "0"])
def test_an_impossible_time_in_json_is_refused(median, tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace('"median": 0.004', f'"median": {median}'))
    assert "has no time" in refused(path)


def test_a_case_that_is_none_is_refused(tmp_path):
    path = pytest_benchmark_file(tmp_path / "bench.json")
    path.write_text(path.read_text().replace("t64-b16-i128-h128/sequence", "mine/sequence"))
    assert "'mine' is not a problem id" in refused(path)
