"""Tables: text cut to what an interval bears, hostile text, unreadable runs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record import TURN, write_records
from reports import frame, table, text
from reports.summary import summarise

ENVIRONMENT = {
    "machine": {"cpu": "a cpu", "cores": 2, "memory_bytes": 2**34, "gpu": None, "system": "Linux"},
    "versions": {"python": "3.11"},
    "commit": {"id": "0" * 40, "dirty": False},
    "matmul_precision": "full",
    "run": {"baseline": "base", "threads": 2, "replicates": 2, "blocks": 2, "seed": 0, "run_id": "r"},
}


def record(name, replicate, seconds, **changes):
    turn = dict.fromkeys((field.name for field in TURN), 0.0) | {"samples": [seconds], "seconds": seconds}
    turns = [{**turn, "block": block, "position": k, "involuntary_switches": 0} for block in (0, 1) for k in (0, 1)]
    sizes = {"seq_len": 1, "batch": 1, "input_size": 1, "hidden_size": 1, "num_layers": 1}
    row = {
        "run_id": "r",
        "implementation": name,
        "track": "default",
        "versions": "torch 2",
        "digest": "d",
        "problem": "p",
        **sizes,
        "bidirectional": False,
        "bias": True,
        "dtype": "float32",
        "workload": "w",
        "mode": "m",
        "device": "cpu",
        "threads": 2,
        "replicate": replicate,
        "status": "ok",
        "reason": "",
        "error": 1e-7,
        "first_call_seconds": 0.1,
        "seconds": seconds,
        "cores_used": 1.0,
        "peak_bytes": 2**20,
        "turns": turns,
    }
    return {**row, **changes}


def save(folder, records):
    folder.mkdir(exist_ok=True)
    write_records(folder / "results.parquet", records)
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    return frame.read_run(folder)


def test_rows_are_sorted_and_failures_last_with_their_reason(tmp_path):
    rows = [
        record(n, r, s * (1 + 0.001 * r)) for n, s in (("slow", 3e-3), ("base", 1e-3), ("quick", 5e-4)) for r in (0, 1)
    ]
    rows += [
        record("bad", r, None, status="crashed", reason="killed by SIGSEGV", turns=None, cores_used=None)
        for r in (0, 1)
    ]
    run = save(tmp_path / "run", rows)
    found = summarise(run)
    assert list(found["implementation"]) == ["quick", "base", "slow", "bad"]
    assert found["ratio"][0] == pytest.approx(0.5)
    assert found["verdict"][1] == "baseline"
    assert (found["status"][3], found["reason"][3]) == ("crashed", "killed by SIGSEGV")
    assert "killed by SIGSEGV" in table.markdown(run, found)


def test_an_arm_that_failed_once_has_no_time(tmp_path):
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [record("odd", 0, 1e-3), record("odd", 1, None, status="disagrees", reason="grad_x", turns=None)]
    found = summarise(save(tmp_path / "run", rows)).set_index("implementation")
    assert found.loc["odd", "status"] == "disagrees"
    assert found.loc["odd", "seconds"] != found.loc["odd", "seconds"]


def test_hostile_text_cannot_leave_its_cell(tmp_path):
    hostile = "<script>alert(1)</script> | a\nb [red]"
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [record("x", r, None, status="error", reason=hostile, turns=None) for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    written = table.markdown(run, summarise(run))
    assert "<script>" not in written
    line = next(line for line in written.splitlines() if "alert(1)" in line)
    assert line.count("|") == 11


UNREADABLE = {
    "no environment": (None, b"", "no environment.json"),
    "broken environment": ("{", b"", "not readable JSON"),
    "truncated": (json.dumps(ENVIRONMENT), b"PAR1 half", "not a readable Parquet file"),
    "empty": (json.dumps(ENVIRONMENT), b"", "not a readable Parquet file"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_run_is_one_line_and_the_others_are_still_reported(name, tmp_path, python):
    environment, content, message = UNREADABLE[name]
    bad = tmp_path / "bad"
    bad.mkdir()
    if environment is not None:
        (bad / "environment.json").write_text(environment)
        (bad / "results.parquet").write_bytes(content)
    save(tmp_path / "good", [record("base", r, 1e-3) for r in (0, 1)])
    done = python("reports", "build", bad, tmp_path / "good")
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert "base" in done.stdout


def test_a_newer_schema_is_refused(tmp_path):
    with pytest.raises(frame.Unreadable, match="schema version 99; this version reads up to 2"):
        save(tmp_path / "run", [record("base", 0, 1e-3, schema_version=99)])


@given(st.floats(1e-9, 1e3), st.floats(1e-4, 1))
def test_a_time_keeps_the_digits_that_its_interval_bears_out(seconds, spread):
    written = text.time_with_interval(seconds, seconds / (1 + spread), seconds * (1 + spread))
    shown = float(written.split(" ")[0])
    scale, _ = text.unit_of(seconds)
    half = (seconds * (1 + spread) - seconds / (1 + spread)) / 2 / scale
    assert abs(shown - seconds / scale) <= max(half * 0.06, 0.51 if half > 10 else 0, 6e-5)


def test_text_of_times():
    assert text.time_with_interval(6.82e-3, 6.61e-3, 7.05e-3) == "6.82 [6.61, 7.05] ms"
    assert text.time_with_interval(1.0, 0.0, float("inf")) == "1 [one replicate]"[:1] + " [one replicate] s"
    assert text.duration(0.0182) == "18.2 ms"
    assert text.duration(float("nan")) == "–"


def built(folder, records, python):
    save(folder, records)
    done = python("reports", "build", folder)
    assert done.returncode == 0, done.stderr
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_records_give_the_same_bytes(tmp_path, python):
    rows = [record(n, r, s * (1 + 0.01 * r)) for n, s in (("base", 1e-3), ("other", 2e-3)) for r in (0, 1)]
    one, other = (built(tmp_path / name, rows, python) for name in ("one", "other"))
    assert {"table.md", "index.html", "figures/p.svg", "figures/p.png"} <= set(one)
    for name in set(one) - {"results.parquet"}:
        assert one[name] == other[name], name


def test_nothing_hostile_gets_into_the_page_and_it_asks_no_host(tmp_path):
    from reports import site

    hostile = "</td><script>alert(1)</script>\"' onload=x"
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [record(hostile, r, None, status="error", reason=hostile, turns=None, versions=hostile) for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    written = site.page(run, summarise(run), {})
    assert "<script" not in written
    assert written.count("&lt;script&gt;") >= 3
    assert "http" not in written.replace("http-equiv", "")
    assert "src=" not in written.replace('src="data:', "")


def test_the_page_says_who_takes_least_time_and_who_is_not_told_apart(tmp_path):
    from reports import site

    rows = [record(n, r, s * (1 + 0.05 * r)) for n, s in (("base", 1e-3), ("near", 1.01e-3)) for r in (0, 1)]
    assert site.answer(summarise(save(tmp_path / "run", rows))) == [
        "p, w, m: base takes least time; not told apart from it: near."
    ]
