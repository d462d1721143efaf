"""What is said of a question from an issue tracker follows what was measured."""

import re

import pytest

from benchmarks.cases import COMPILED, FLOAT64, IMDB, QUICK
from reports import frames
from reports.machines import Machine
from reports.publishing import questions, readme
from tests.helpers.answers import report_of
from tests.helpers.records import save, trained


def over_torch(folder, records, **machine):
    """The report of a run whose baseline is torch_lstm."""
    environment = save(folder, records, **machine).folder / "environment.json"
    environment.write_text(environment.read_text().replace('"base"', '"torch_lstm"'))
    return report_of(frames.read_run(folder))


def data_of(folder, records):
    """What the questions look into, of such a run."""
    return questions.found(Machine("a cpu", (over_torch(folder, records),)))


@pytest.mark.parametrize(("seconds", "word"), [(2e-3, "No."), (5e-4, "Yes."), (1e-3, "Unclear.")])
def test_whether_another_framework_is_faster_follows_its_ratio(tmp_path, seconds, word):
    rows = trained("torch_lstm", 1e-3, problem=IMDB) + trained("keras_tensorflow", seconds, problem=IMDB)
    said = questions.imdb(data_of(tmp_path, rows))
    assert said[0] == word
    assert f"{1e3 * seconds:.2f}"[:3] in said[1]


@pytest.mark.parametrize(
    ("seconds", "word"), [((1, 2, 4, 8, 3), "Yes."), ((1, 2, 4, 3, 3), "Not"), ((1, 2, 4, 8, 2), "Not")]
)
def test_whether_compiling_takes_ever_longer_follows_its_first_calls(tmp_path, seconds, word):
    rows = []
    for problem, first in zip(COMPILED, seconds, strict=True):
        rows += trained("torch_lstm_compiled", 1e-3, problem=problem, first_call_seconds=float(first))
    assert questions.compiling(data_of(tmp_path, rows))[0].startswith(word)


def test_float64_is_compared_with_float32_and_names_the_operator(tmp_path):
    rows = []
    for mode, cost in (("train_step", 3.0), ("forward", 2.0)):
        rows += trained("torch_lstm", 1e-3, mode, problem=FLOAT64.removesuffix("-float64"), kernel="a::fused × 1")
        rows += trained("torch_lstm", 1e-3 * cost, mode, problem=FLOAT64, kernel="a::addmm × 9")
    word, said, *_ = questions.double(data_of(tmp_path, rows))
    assert word == "Yes."
    assert said.index("3.00") < said.index("2.00") < said.index("another, silently")


def test_releases_are_told_from_the_oldest_to_the_newest(tmp_path):
    rows = trained("torch_lstm", 1e-3, problem=QUICK[0])
    for release, seconds in {"0.4.31": 1e-3, "0.10.0": 4e-3, "0.9.1": 2e-3}.items():
        for mode in ("train_step", "forward"):
            rows += trained(f"jax_scan@jax=={release}", seconds, mode, problem=QUICK[0], versions=f"jax {release}")
    word, _, others, base, *_, said = questions.by_release("jax_scan", data_of(tmp_path, rows))
    assert word == "Yes."
    assert "jax 0.9.1 in training" in others
    assert "jax 0.10.0" not in others
    assert "that in jax 0.4.31" in base
    *_, older, newest = ([*map(str.strip, line.split("|"))] for line in said.splitlines())
    assert [(row[1], row[2][:4], row[3]) for row in (older, newest)] == [
        ("jax 0.9.1", "2.00", "–"),
        ("jax 0.10.0", "4.00", "–"),
    ]


@pytest.mark.parametrize(
    ("at_batch_1", "said"), [(4e-3, "Yes."), (5e-4, "In part."), (None, "With the newest, no case")]
)
def test_where_loops_got_slower_is_told(tmp_path, at_batch_1, said):
    rows = []
    both = (4e-3, at_batch_1) if at_batch_1 else (1e-3, 1e-3)
    for problem, newest in zip(QUICK, both, strict=True):
        rows += trained("torch_lstm", 1e-3, problem=problem)
        for release, seconds in {"0.4.31": 1e-3, "0.10.0": newest}.items():
            rows += trained(f"jax_scan@jax=={release}", seconds, problem=problem, versions=f"jax {release}")
    assert questions.by_release("jax_scan", data_of(tmp_path, rows))[0].startswith(said)


def test_each_processor_has_its_own_answer_and_readme_names_what_is_faster_on_all(tmp_path):
    reports = []
    for family, keras, cpp, ffi, double in ((25, 2e-3, 5e-4, 5e-4, 5e-3), (26, 5e-4, 2e-3, 5e-4, 7e-3)):
        seconds = {"torch_lstm": 1e-3, "keras_tensorflow": keras, "torch_cpp": cpp, "jax_ffi": ffi}
        places = [(p, mode) for p in (IMDB, *QUICK) for mode in ("train_step", "forward")]
        fused, loop = ({"kernel": kernel} for kernel in ("a::fused × 1", "a::addmm × 9"))
        rows = [
            row
            for name, s in seconds.items()
            for p, mode in places
            for row in trained(name, s, mode, problem=p, **fused)
        ]
        rows += trained("torch_lstm", double, problem=f"{QUICK[0]}-float64", **loop)
        rows += trained("torch_lstm", 2e-3, problem=f"{QUICK[0]}-float16", **loop)
        rows += trained("torch_cpp", 1e-3, problem=f"{QUICK[0]}-float64", **loop)
        rows += trained("torch_cpp", 1e-3, problem=f"{QUICK[0]}-float16", **loop)
        reports.append(over_torch(tmp_path / str(family), rows, family=family))
    (question, said), *_ = questions.answered(reports)
    assert question.about == "IMDB"
    assert [word for word, *_ in said.values()] == ["No.", "Yes."]
    text = questions.answers(reports)
    assert text.count("Keras and TensorFlow were timed as an LSTM alone.") == 1, "what both say stands once"
    first, second = (text.partition(f"**{label}:** ")[2] for label in said)
    assert (first[:4], second[:5]) == ("No. ", "Yes. ")
    text = readme.fastest(reports)
    assert "In a training step at batch 1 and 16, `jax_ffi` was clearly faster on both processors." in text
    slower = r"With float64, .*: `nn.LSTM` 5\.000 \S+ \S+ \(a cpu, family 25\) and 7\.000 \S+ \S+ \(a cpu, family 26\),"
    assert re.search(slower, text), "the option where native_lstm gains most"
    assert "`native_lstm` 1.000" in text
    alone = readme.fastest(reports[:1])
    assert "clearly faster." in alone
    assert "family 26" not in alone


def test_what_was_not_measured_is_not_answered(tmp_path):
    run = save(tmp_path, trained("torch_lstm", 1e-3, problem="t1-b1-i1-h1"))
    assert questions.answers([report_of(run)]) == ""
