"""Which LSTM to use: the sentence says what the table says, across tracks."""

from reports.recommendation import recommendations
from reports.summary import summarise
from tests.helpers.records import failed, record, save, trained


def advised(tmp_path, rows):
    run = save(tmp_path / "run", rows)
    return list(recommendations(run, summarise(run)))


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
