"""Tables: text cut to what an interval bears, hostile text, unreadable runs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record import TURN, write_records
from reports import estimates, formatting, frames, ranking, tables
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
    return frames.read_run(folder)


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
    assert "killed by SIGSEGV" in tables.markdown(run, found)


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
    written = tables.markdown(run, summarise(run))
    assert "<script>" not in written
    line = next(line for line in written.splitlines() if "alert(1)" in line)
    assert line.count("|") == 13


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
    with pytest.raises(frames.Unreadable, match="schema version 99; this version reads up to 2"):
        save(tmp_path / "run", [record("base", 0, 1e-3, schema_version=99)])


@given(st.floats(1e-9, 1e3), st.floats(1e-4, 1))
def test_a_time_keeps_the_digits_that_its_interval_bears_out(seconds, spread):
    written = formatting.time_with_interval(seconds, seconds / (1 + spread), seconds * (1 + spread))
    shown = float(written.split(" ")[0])
    scale, _ = formatting.unit_of(seconds)
    half = (seconds * (1 + spread) - seconds / (1 + spread)) / 2 / scale
    assert abs(shown - seconds / scale) <= max(half * 0.06, 0.51 if half > 10 else 0, 6e-5)


def test_text_of_times():
    assert formatting.time_with_interval(6.82e-3, 6.61e-3, 7.05e-3) == "6.82 [6.61, 7.05] ms"
    assert formatting.time_with_interval(1.0, 0.0, float("inf")) == "1 [one replicate]"[:1] + " [one replicate] s"
    assert formatting.interval(0.24, 3.4e-4, 218) == "0.24 [0.00034, 220]"  # too wide to say how many digits count
    assert formatting.duration(0.0182) == "18.2 ms"
    assert formatting.duration(float("nan")) == "–"


def built(folder, records, python):
    save(folder, records)
    done = python("reports", "build", folder)
    assert done.returncode == 0, done.stderr
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_records_give_the_same_bytes(tmp_path, python):
    rows = [record(n, r, s * (1 + 0.01 * r)) for n, s in (("base", 1e-3), ("other", 2e-3)) for r in (0, 1)]
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = (built(tmp_path / name / "run", rows, python) for name in ("one", "other"))
    figures = {f"figures/ratio-p.{kind}" for kind in ("svg", "png")}
    assert {"table.md", "table.html", "table.tex", "index.html", *figures} <= set(one)
    for name in set(one) - {"results.parquet"}:
        assert one[name] == other[name], name


def test_the_page_names_everything_and_asks_no_host(tmp_path):
    from reports import site
    from reports.across_runs import over_runs

    hostile = "</td><script>alert(1)</script>\"' onload=x"
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [record(hostile, r, None, status="error", reason=hostile, turns=None, versions=hostile) for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    reported = [site.Reported(run, summarise(run), [], "run")]
    written = site.page(reported, over_runs(reported))
    assert "<script>alert" not in written
    assert written.count("&lt;script&gt;") >= 3
    assert "http" not in written.replace("http-equiv", "")
    assert "src=" not in written.replace('src="data:', "")


def contest(tmp_path, **levels):
    rows = []
    for name, (seconds, spread) in levels.items():
        rows += [record(name, r, seconds * (1 + spread * (r - 1.5))) for r in range(4)]
    run = save(tmp_path / "run", rows)
    return run, summarise(run)


def places(found):
    return dict(zip(found["implementation"], found["place"], strict=True))


def test_the_fastest_is_marked_where_it_is_apart_from_all(tmp_path):
    _, found = contest(tmp_path, base=(1e-3, 0.001), quick=(0.9e-3, 0.001), slow=(2e-3, 0.001))
    assert dict(zip(found["implementation"], found["place"], strict=True)) == {
        "quick": "fastest",
        "base": "",
        "slow": "",
    }


def test_nobody_is_fastest_where_the_first_two_are_not_apart(tmp_path):
    run, found = contest(tmp_path, base=(1e-3, 0.02), near=(0.999e-3, -0.02), slow=(2e-3, 0.02))
    assert dict(zip(found["implementation"], found["place"], strict=True)) == {
        "base": "tied",
        "near": "tied",
        "slow": "",
    }
    assert "**" not in tables.readme(run, found, "w", "m")


def test_tracks_are_never_mixed(tmp_path):
    rows = [record("base", r, 1e-3 * (1 + 0.001 * r)) for r in range(4)]
    rows += [record("slow", r, 2e-3 * (1 + 0.001 * r)) for r in range(4)]
    rows += [record("best", r, 0.5e-3 * (1 + 0.001 * r), track="tuned") for r in range(4)]
    rows += [record("other", r, 0.7e-3 * (1 + 0.001 * r), track="tuned") for r in range(4)]
    run = save(tmp_path / "run", rows)
    found = summarise(run)
    assert set(found.loc[found["place"] == "fastest", "implementation"]) == {"base", "best"}
    section = next(tables.sections(found, "base"))
    assert [line.cells[0] for line in section.lines] == ["base", "slow", "best", "other"]


def test_the_headline_says_who_is_fastest_where(tmp_path):
    from reports import headline

    run, found = contest(tmp_path, base=(1e-3, 0.001), quick=(0.9e-3, 0.001))
    assert headline.headline(run, found) == "W, m, on a cpu: of the default ones quick is fastest at the one problem."


def test_one_replicate_makes_nobody_fastest(tmp_path):
    from reports import headline

    run = save(tmp_path / "run", [record("base", 0, 1e-3), record("quick", 0, 0.5e-3)])
    found = summarise(run)
    assert set(found["place"]) == {""}
    assert "nobody is known to be fastest" in headline.headline(run, found)


def test_operations_are_those_of_the_floors_products():
    """Counted by hand: T·B rows, 4H columns, I and H deep; twice that backward, without dx for `model`."""
    from impls.core.problem import Problem
    from reports.roofline import operations

    problem = Problem(seq_len=3, batch=2, input_size=5, hidden_size=7)
    forward = 2 * 3 * 2 * 28 * (5 + 7)
    assert operations(problem, "sequence", "forward") == forward
    assert operations(problem, "sequence", "forward_train") == forward
    assert operations(problem, "sequence", "backward") == 2 * forward
    assert operations(problem, "sequence", "train_step") == 3 * forward
    assert operations(problem, "model", "train_step") == 3 * forward - 2 * 3 * 2 * 28 * 5
    assert operations(problem, "cell", "forward") == forward // 3
    deep = problem.replace(num_layers=2, bidirectional=True)
    assert operations(deep, "sequence", "forward") == 2 * forward + 2 * (2 * 3 * 2 * 28 * (14 + 7))


def test_the_distance_from_the_floor_and_the_peak(tmp_path):
    rows = [record("base", r, 3e-3, problem="t3-b2-i5-h7", workload="sequence", mode="forward") for r in (0, 1)]
    rows += [
        record("floor", r, 1e-3, track="floor", problem="t3-b2-i5-h7", workload="sequence", mode="forward")
        for r in (0, 1)
    ]
    run = save(tmp_path / "run", rows)
    run.environment["matmul_flops_per_second"] = {"float32": 1e9}
    found = summarise(run).set_index("implementation")
    assert found.loc["base", "floor_ratio"] == pytest.approx(3)
    assert found.loc["base", "peak_share"] == pytest.approx(2 * 3 * 2 * 28 * 12 / 3e-3 / 1e9)


def test_a_question_is_answered_from_the_two_arms_it_compares(tmp_path):
    from reports import answers

    def arm(name, seconds, versions="torch 2"):
        place = {"problem": "p", "workload": "sequence", "mode": "train_step", "versions": versions}
        return [record(name, r, seconds * (1 + 0.001 * r), **place) for r in range(4)]

    rows = (
        arm("base", 1e-3) + arm("torch_cell", 4e-3) + arm("torch_cell_hoisted", 3e-3) + arm("jax_scan", 2e-3, "jax 1")
    )
    run = save(tmp_path / "run", rows)
    found = {answer.title: answer for answer in answers.answers(run, summarise(run))}
    hoisting = found["What does hoisting the input projection buy?"]
    assert "Of torch_cell's time for a training step, torch_cell_hoisted takes 0.75 × at p." in hoisting.sentence
    assert hoisting.rows[0][-1] == "faster"
    assert (
        "shown nowhere to be faster than base; slower, all of them, at p" in found["Where does JAX beat base?"].sentence
    )
    assert "What does a hand-written backward buy?" not in found


TEX = r"50% of $x_1 & #2 {a}~b^c \end"


def test_latex_and_html_take_no_text_for_markup(tmp_path):
    from reports import export

    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [record(TEX + "<b>", r, None, status="error", reason=TEX, turns=None) for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    sections = list(tables.sections(summarise(run), "base"))
    written = export.latex_document(run, sections)
    assert r"50\% of \$x\_1 \& \#2 \{a\}\textasciitilde{}b\textasciicircum{}c \textbackslash{}end" in written
    for line in written.splitlines():
        if line.endswith(r"\\"):
            assert line.replace(r"\&", "").count("&") == len(sections[0].header) - 1
    page = export.html_document(run, sections)
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def arm(name, seconds, mode="train_step", **changes):
    place = {"problem": "p", "workload": "sequence", "mode": mode, **changes}
    return [record(name, r, seconds * (1 + 0.001 * r), **place) for r in range(4)]


def said(tmp_path, rows):
    from reports import answers

    run = save(tmp_path / "run", rows)
    return {answer.title: answer.sentence for answer in answers.answers(run, summarise(run))}


def test_what_failed_once_answers_no_question(tmp_path):
    rows = arm("base", 1e-3) + arm("torch_cell", 4e-3) + arm("torch_cell_hoisted", 3e-3)
    rows[-1].update(status="disagrees", reason="grad_x", seconds=None, turns=None)
    assert not any("torch_cell_hoisted" in sentence for sentence in said(tmp_path, rows).values())


def test_a_run_without_a_training_step_says_nothing_of_one(tmp_path):
    rows = arm("base", 1e-3, "forward") + arm("jax_scan", 2e-3, "forward", versions="jax 1")
    assert said(tmp_path, rows)["Where does JAX beat base?"] == ""


def test_any_jax_arm_that_is_faster_counts_not_only_the_one_of_least_time(tmp_path):
    rows = arm("base", 1e-3) + arm("jax_scan", 0.9e-3, versions="jax 1")
    rows += [
        record(
            "noisy",
            r,
            0.85e-3 * (2 if r % 2 else 0.5),
            problem="p",
            workload="sequence",
            mode="train_step",
            versions="jax 1",
        )
        for r in range(4)
    ]
    assert "faster than base at p (jax_scan)" in said(tmp_path, rows)["Where does JAX beat base?"]


def test_the_place_never_contradicts_the_verdict(tmp_path):
    """A pair that holds the baseline has one verdict: who is apart from it is not tied with it, nor the reverse."""
    from tests.project.test_readme import PUBLISHED

    for folder in PUBLISHED:
        found = summarise(frames.read_run(folder)).set_index(["problem", "workload", "mode", "track"])
        for key, rows in found.groupby(level=[0, 1, 2, 3]):
            first = rows[(rows["verdict"] == "baseline") & (rows["place"] != "")]
            assert not (len(first) and ((rows["verdict"] == "slower") & (rows["place"] == "tied")).any()), key
            beside = rows[(rows["place"] == "fastest") & (rows["implementation"] != "torch_lstm")]
            if (rows["verdict"] == "baseline").any():
                assert set(beside["verdict"]) <= {"faster"}, key


@pytest.mark.parametrize(("verdict", "given"), [("tie", "tied"), ("faster", "fastest")])
def test_who_is_not_shown_faster_than_the_baseline_is_not_fastest_beside_it(verdict, given, tmp_path):
    """The table's verdicts are of another family than the places, so they may differ; the verdict is what holds."""
    run, found = contest(tmp_path, base=(1e-3, 0.001), quick=(0.5e-3, 0.001))
    blocks = estimates.block_logs(frames.turns(run, run.records))
    changed = found.assign(verdict=found["verdict"].where(found["implementation"] != "quick", verdict))
    said = ranking.places(changed, blocks)
    assert dict(zip(found["implementation"], said, strict=True)) == {
        "quick": given,
        "base": "tied" if given == "tied" else "",
    }


def test_the_headline_names_what_failed(tmp_path):
    from reports import headline

    rows = arm("base", 1e-3) + arm("other", 2e-3)
    rows += [
        record(
            "bad",
            0,
            None,
            problem="p",
            workload="sequence",
            mode="train_step",
            status="crashed",
            reason="SIGSEGV",
            turns=None,
        )
    ]
    run = save(tmp_path / "run", rows)
    assert "(bad failed" in headline.headline(run, summarise(run))


def test_runs_of_one_folder_name_stay_apart_and_no_other_run_is_overwritten(tmp_path, python):
    for name, run_id in (("a", "20260101T000000-a"), ("b", "20260102T000000-b")):
        (tmp_path / name).mkdir()
        folder = tmp_path / name / "run"
        save(folder, [record("base", r, 1e-3, run_id=run_id) for r in (0, 1)])
        environment = {**ENVIRONMENT, "run": {**ENVIRONMENT["run"], "run_id": run_id}}
        (folder / "environment.json").write_text(json.dumps(environment))
    done = python("reports", "build", tmp_path / "a" / "run", tmp_path / "b" / "run", "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "o").iterdir() if path.is_dir()) == [
        "run",
        "run-20260101T000000-a",
    ]
    before = (tmp_path / "a" / "run" / "results.parquet").read_bytes()
    done = python("reports", "build", tmp_path / "b" / "run", "--out", tmp_path / "a")
    assert done.returncode == 2
    assert "holds another run" in done.stderr
    assert (tmp_path / "a" / "run" / "results.parquet").read_bytes() == before


def test_an_output_that_cannot_be_written_is_one_line(tmp_path, python):
    save(tmp_path / "run", [record("base", r, 1e-3) for r in (0, 1)])
    done = python("reports", "build", tmp_path / "run", "--out", "/dev/null/x")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "can't be written to" in done.stderr


def test_markup_of_the_terminal_in_names_is_text(tmp_path, capsys):
    from rich.console import Console

    rows = [record("[/b]x", r, 1e-3, problem="[/red]") for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    run.environment["run"]["baseline"] = "[/b]x"
    tables.show(run, summarise(run), Console(width=190))
    assert "[/b]x" in capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 100, 190])
def test_a_terminal_shows_whole_cells_whatever_its_width(width, tmp_path, capsys):
    """What does not fit is left out, and said to be; a reason of any length stands below."""
    from rich.console import Console

    reason = "output[0, 2, 0] is 0.251538, want -0.278859 " * 5
    names = ("torch_lstm", "jax_scan_vjp_sharded")
    rows = [record(name, r, (163.6 + 3 * r) * 1e-6) for name in names for r in (0, 1, 2)]
    rows += [record("mine", r, None, status="disagrees", reason=reason, turns=None) for r in (0, 1, 2)]
    run = save(tmp_path / "run", rows)
    run.environment["run"]["baseline"] = "torch_lstm"
    summary = summarise(run)
    section = next(tables.sections(summary, "torch_lstm"))
    tables.show(run, summary, Console(width=width))
    shown = capsys.readouterr().out
    assert ("Left out, for the width" in shown) == (width < 190)
    for line in section.lines[:2]:
        whole = next(one for one in shown.splitlines() if one.startswith(f" {line.cells[0]} "))
        assert all(cell in whole for cell in line.cells[2:5])
        assert (line.cells[-1] in whole) == (width == 190)
    assert f" mine: {reason.split(maxsplit=1)[0]}" in shown
    assert all(len(line) <= width for line in shown.splitlines())


def test_a_run_on_a_busy_machine_says_so(tmp_path):
    steady = save(tmp_path / "steady", [record("base", r, 1e-3 * (1 + r / 100)) for r in range(4)])
    busy = save(tmp_path / "busy", [record("base", r, 1e-3 * (1 + r)) for r in range(4)])
    assert "BUSY" not in " ".join(tables.peak_and_noise(steady))
    assert "BUSY" in " ".join(tables.peak_and_noise(busy))


EVERY = {
    "nothing could be timed": [record("base", 0, None, status="unsupported", reason="no CUDA device", turns=None)],
    "one implementation, one replicate": [record("base", 0, 1e-3)],
    "no baseline": [record("other", r, 1e-3) for r in (0, 1)],
    "a failed baseline": [
        record("base", 0, None, status="crashed", reason="SIGSEGV", turns=None),
        record("x", 0, 1e-3),
    ],
    "two devices": [record("base", r, 1e-3, device=device) for r in (0, 1) for device in ("cpu", "cuda")],
    "only the floor": [record("floor", r, 1e-3, track="floor") for r in (0, 1)],
}


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_run_has_its_page(name, tmp_path):
    from click.testing import CliRunner

    from reports.__main__ import cli

    rows = [row | {"workload": "sequence", "mode": "train_step"} for row in EVERY[name]]
    save(tmp_path / "run", rows)
    done = CliRunner().invoke(cli, ["build", str(tmp_path / "run")], standalone_mode=False)
    assert done.exception is None
    assert done.return_value == 0
    written = (tmp_path / "run" / "index.html").read_text()
    for row in rows:
        assert row["implementation"] in written
        assert row["reason"] in written
