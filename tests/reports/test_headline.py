"""The answers in a sentence: which implementation is the fastest, and which LSTM to use."""

import pytest

from reports import headline
from tests.helpers.answers import report_of
from tests.helpers.records import failed, record, save, trained

WHERE = {"workload": "sequence", "mode": "train_step"}


def advised(folder, rows):
    """The recommendations of a run."""
    report = report_of(save(folder, rows))
    return list(headline.recommendations(report, report.sound))


def noisy(name, seconds, apart, **changes):
    """Four replicates that differ by that factor."""
    return [record(name, k, seconds * (apart if k % 2 else 1 / apart), **WHERE, **changes) for k in range(4)]


ADVICE = {
    "a tuned arm": (
        [*trained("quick", 0.9e-3, track="tuned"), *trained("slow", 2e-3)],
        ["quick takes 0.90 × base's time (0.90–0.90).", "Without custom code, use base."],
        [],
    ),
    "a default arm beside it": (
        [*trained("quick", 0.8e-3, track="tuned"), *trained("plain", 0.9e-3)],
        ["quick takes 0.80 × base's time", "documentation tells you to write, plain takes 0.90 × base's time"],
        [],
    ),
    "a default arm is the best": (
        [*trained("quick", 0.9e-3, track="tuned"), *trained("plain", 0.8e-3)],
        ["plain takes 0.80 × base's time"],
        ["quick"],
    ),
    "nothing is faster": (
        trained("slow", 2e-3),
        ["use base.", "Nothing that was measured is clearly faster."],
        ["slow takes", "may be as fast"],
    ),
    "unclear is not faster": (noisy("noisy", 0.9e-3, 2), ["use base."], ["takes", "noisy"]),
    "as good as the best": (
        [*trained("quick", 0.8e-3, track="tuned"), *noisy("close", 0.805e-3, 1.015, track="tuned")],
        ["close may be as fast."],
        [],
    ),
    "the peak and what failed": (
        [*trained("peak", 5e-4, track="peak"), *(failed("wrong", k, "disagrees", "grad_x", **WHERE) for k in range(4))],
        ["use base."],
        ["peak", "wrong"],
    ),
}


@pytest.mark.parametrize("name", ADVICE)
def test_the_advice_at_a_problem(name, tmp_path):
    rows, words, others = ADVICE[name]
    (found,) = advised(tmp_path, [*trained("base", 1e-3), *rows])
    assert found.where == "Training at p"
    said = " ".join(found.advice)
    assert [word for word in words if word not in said] == []
    assert [word for word in others if word in said] == []


def test_without_the_baseline_the_least_time_is_said_without_a_verdict(tmp_path):
    (found,) = advised(tmp_path, [*trained("one", 1e-3), *trained("two", 2e-3)])
    assert found.advice == ["one takes the least time, 1 ms."]


def test_who_uses_jax_is_told_its_best_tuned_and_plain_code(tmp_path):
    of = {"jax_ffi": (1.5e-3, "tuned"), "jax_scan": (4e-3, "default"), "haiku_lstm": (3e-3, "default")}
    rows = trained("base", 1e-3)
    for name, (seconds, track) in of.items():
        rows += trained(name, seconds, track=track, versions="jax 1")
    (found,) = advised(tmp_path, rows)
    assert found.advice[-1] == "In JAX: tuned jax_ffi 1.50 (slower), plain haiku_lstm 3.00 (slower)."


def test_there_is_a_sentence_for_each_problem_and_purpose(tmp_path):
    where = [(problem, mode) for problem in ("q", "p") for mode in ("forward", "train_step", "backward")]
    rows = [row for problem, mode in where for row in trained("base", 1e-3, mode, problem=problem)]
    found = [each.where.partition(" on ")[0] for each in advised(tmp_path, rows)]
    assert found == ["Training at q", "Inference at q", "Training at p", "Inference at p"]


def test_one_sentence_stands_for_all_shapes_with_the_exceptions(tmp_path):
    rows = []
    for batch, seconds in {1: 5e-4, 2: 8e-4, 16: 2e-3, 32: 2e-3, 64: 2e-3}.items():
        problem = f"t1-b{batch}-i1-h1"
        rows += trained("base", 1e-3, problem=problem) + trained("torch_cpp", seconds, problem=problem)
    rows += trained("base", 1e-3, problem="t1-b16-i1-h1-var") + trained("quick", 1e-4, problem="t1-b16-i1-h1-var")
    said, *lines = headline.answer(advised(tmp_path, rows))
    assert said.startswith("Use base.")
    assert lines == [
        "Training, batch 1 to 2: torch_cpp 0.50 to 0.80, at 2 of 2 shapes",
        "Training, batch 16, rows of different lengths: quick 0.10",
    ]
    alone = headline.answer(advised(tmp_path / "alone", rows[-16:-8]))
    assert alone == ["Use base. Nothing that was measured is clearly faster."]


@pytest.mark.parametrize(("track", "start"), [("tuned", "Start with base: "), ("default", "It depends ")])
def test_the_baseline_is_where_to_start_while_no_plain_code_is_faster(track, start, tmp_path):
    rows = trained("base", 1e-3) + trained("quick", 5e-4, track=track)
    assert headline.answer(advised(tmp_path, rows))[0].startswith(start)


@pytest.mark.parametrize(("versions", "said"), [("jax 1", True), ("torch 2", False)])
def test_who_uses_pytorch_is_told_its_best_where_another_library_has_the_best(versions, said, tmp_path):
    rows = trained("base", 1e-3) + trained("torch_cpp", 8e-4, track="tuned", versions="torch 2")
    rows += trained("quick", 5e-4, track="tuned", versions=versions)
    (found,) = advised(tmp_path, rows)
    assert ("In PyTorch: tuned torch_cpp 0.80 (faster)." in found.advice) == said


def test_of_two_that_are_as_fast_the_simpler_one_is_named(tmp_path):
    """At batch 1 a sharded batch is one shard: the same program under a longer name. Else the lowest ratio is named."""
    close = noisy("jax_scan_vjp", 5.01e-4, 1.015, track="tuned")
    rows = [*trained("base", 1e-3), *close, *trained("jax_scan_vjp_sharded", 5e-4, track="tuned")]
    (found,) = advised(tmp_path, rows)
    assert found.advice[0].startswith("jax_scan_vjp takes")
    rows += noisy("ffi", 5.02e-4, 1.015, track="tuned")
    (found,) = advised(tmp_path / "other", rows)
    assert found.advice[0].startswith("jax_scan_vjp takes")
