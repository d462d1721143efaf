"""The answers in a sentence: which implementation is the fastest, and which LSTM to use."""

from reports.headline import headline, recommendations
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import failed, record, save, spread_out, trained


def said(run):
    return headline(Report(run, summarise(run)))


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


def advised(tmp_path, rows):
    run = save(tmp_path / "run", rows)
    return list(recommendations(Report(run, summarise(run))))


def sentence(tmp_path, rows):
    (found,) = advised(tmp_path, rows)
    assert found.sentence.startswith("Training at p on 2 cores (a cpu")
    return found.sentence.partition(": ")[2]


def test_a_tuned_arm_that_is_faster_is_named_and_what_to_use_without_it(tmp_path):
    rows = trained("base", 1e-3) + trained("quick", 0.9e-3, track="tuned") + trained("slow", 2e-3)
    said = sentence(tmp_path, rows)
    assert said.startswith("quick takes 0.90 × base's time (0.")
    assert said.endswith("Without custom code, use base.")


def test_a_default_arm_that_is_faster_too_is_named_beside_the_tuned_one(tmp_path):
    rows = trained("base", 1e-3) + trained("quick", 0.8e-3, track="tuned") + trained("plain", 0.9e-3)
    said = sentence(tmp_path, rows)
    assert said.startswith("quick takes 0.80 × base's time")
    assert "documentation tells you to write, plain takes 0.90 × base's time" in said


def test_a_default_arm_that_is_fastest_is_all_that_is_said(tmp_path):
    rows = trained("base", 1e-3) + trained("quick", 0.9e-3, track="tuned") + trained("plain", 0.8e-3)
    said = sentence(tmp_path, rows)
    assert said.startswith("plain takes 0.80 × base's time")
    assert "quick" not in said


def test_where_nothing_is_faster_the_baseline_is_the_advice(tmp_path):
    said = sentence(tmp_path, trained("base", 1e-3) + trained("slow", 2e-3))
    assert said.startswith(
        "use base. Nothing that was measured is clearly faster. The next is slower: slow takes 2.00 ×"
    )


def test_what_is_unclear_is_named_and_never_called_faster(tmp_path):
    where = {"workload": "sequence", "mode": "train_step"}
    rows = trained("base", 1e-3) + [record("noisy", k, 0.9e-3 * (2 if k % 2 else 0.5), **where) for k in range(4)]
    said = sentence(tmp_path, rows)
    assert said == (
        "use base. Nothing that was measured is clearly faster. noisy may be as fast: the difference is not certain."
    )


def test_the_peak_and_what_failed_are_never_advised(tmp_path):
    where = {"workload": "sequence", "mode": "train_step"}
    rows = trained("base", 1e-3) + trained("peak", 0.5e-3, track="peak")
    rows += [failed("wrong", k, "disagrees", "grad_x", track="tuned", **where) for k in range(4)]
    assert sentence(tmp_path, rows).startswith("use base.")


def test_without_the_baseline_the_least_time_is_said_without_a_verdict(tmp_path):
    said = sentence(tmp_path, trained("one", 1e-3) + trained("two", 2e-3))
    assert said == "one takes the least time, 1 ms."


def test_there_is_a_sentence_for_each_problem_and_purpose(tmp_path):
    rows = [row for mode in ("forward", "train_step", "backward") for row in trained("base", 1e-3, mode)]
    found = advised(tmp_path, rows)
    assert [(each.problem, each.mode) for each in found] == [("p", "train_step"), ("p", "forward")]
    assert found[1].sentence.startswith("Inference at p")


def test_what_can_not_be_told_from_the_best_is_named(tmp_path):
    where = {"workload": "sequence", "mode": "train_step", "track": "tuned"}
    rows = trained("base", 1e-3) + trained("quick", 0.8e-3, track="tuned")
    rows += [record("close", k, 0.8e-3 * (1.02 if k % 2 else 0.985), **where) for k in range(4)]
    assert "close may be as fast." in sentence(tmp_path, rows)
