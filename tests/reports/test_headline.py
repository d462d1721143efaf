"""The headline: which implementation is the fastest, in a few sentences."""

from reports.headline import headline
from reports.summary import summarise
from tests.helpers.records import failed, record, save, spread_out, trained


def said(run):
    return headline(run, summarise(run))


def test_it_names_the_fastest_and_where(tmp_path):
    run = spread_out(tmp_path, base=(1e-3, 0.001), quick=(0.9e-3, 0.001))
    assert said(run) == "W, m, on a cpu. Default track: quick is fastest at the one problem."


def test_one_replicate_makes_none_the_fastest(tmp_path):
    run = save(tmp_path, [record("base", 0, 1e-3), record("quick", 0, 0.5e-3)])
    assert said(run) == "W, m, on a cpu. Default track: the fastest is unclear at the one problem."


def test_it_says_at_how_many_problems_the_fastest_is_unclear_and_between_which(tmp_path):
    rows = []
    for problem, (base, other) in {"p1": (1, 2), "p2": (1, 3), "p3": (1, 1), "p4": (2, 2)}.items():
        rows += trained("base", base * 1e-3, problem=problem) + trained("other", other * 1e-3, problem=problem)
        rows += trained("slow", 9e-3, problem=problem)
    run = save(tmp_path, rows)
    assert said(run) == (
        "Sequence, train step, on a cpu. Default track: base is fastest at 2 of 4 problems; "
        "at the other 2 it is unclear (base or other)."
    )


def test_each_track_has_its_own_sentence_and_the_peak_none(tmp_path):
    rows = trained("base", 1e-3) + trained("other", 2e-3) + trained("peak", 1e-4, track="peak")
    rows += trained("best", 5e-4, track="tuned") + trained("same", 5e-4, track="tuned")
    run = save(tmp_path, rows)
    assert said(run) == (
        "Sequence, train step, on a cpu. Default track: base is fastest at the one problem. "
        "Tuned track: the fastest is unclear at the one problem (best or same)."
    )


def test_an_unknown_track_is_no_error(tmp_path):
    run = save(tmp_path, trained("base", 1e-3, track="mine") + trained("other", 2e-3, track="mine"))
    assert said(run) == "Sequence, train step, on a cpu. All implementations: base is fastest at the one problem."


def test_it_names_what_failed(tmp_path):
    where = {"workload": "sequence", "mode": "train_step"}
    rows = trained("base", 1e-3) + trained("other", 2e-3) + [failed("bad", 0, "crashed", "SIGSEGV", **where)]
    assert said(save(tmp_path, rows)).endswith(" bad failed: the tables say where.")


def test_a_run_without_a_time_says_so(tmp_path):
    run = save(tmp_path, [failed("base", 0, "unsupported", "no CUDA device")])
    assert said(run) == "Nothing could be timed in this run: the tables say why."
