"""The questions that a run answers."""

import pytest

from reports.parts import stream
from reports.run_folder import complete
from tests.helpers.answers import answered
from tests.helpers.records import save, trained

HOISTING = "What does hoisting the input projection buy?"
COST = "What is the cost of options at t1-b1-i1-h2? Training"
DRAWN = "Training: what an option costs"


def cells(answer):
    return [[column.cell(row) for column in answer.columns] for row in answer.rows]


def hoisted(seconds=3e-3, **where):
    """Records of a baseline, and of an implementation without and with hoisting."""
    names = {"base": 1e-3, "torch_cell": 4e-3, "torch_cell_hoisted": seconds}
    return [row for name, time in names.items() for row in trained(name, time, **where)]


def test_a_change_is_answered_from_the_two_implementations_that_differ_in_it(tmp_path):
    found = answered(tmp_path, hoisted())
    assert "torch_cell_hoisted takes 0.75 ×" in found[HOISTING].text
    (row,) = cells(found[HOISTING])
    assert row[:5] == ["p", "Training", "cpu", "torch_cell", "torch_cell_hoisted"]
    assert (row[5][:4], row[-1]) == ("0.75", "faster")
    assert "What does a hand-written backward buy?" not in found


def test_a_change_that_is_unclear_says_so(tmp_path):
    found = answered(tmp_path, hoisted(4e-3))[HOISTING]
    assert "1.00" in found.text
    assert "unclear" in found.text
    assert cells(found)[0][-1] == "unclear"


def test_an_implementation_that_failed_once_answers_no_question(tmp_path):
    rows = hoisted()
    rows[-1].update(status="disagrees", reason="grad_x", seconds=None, turns=None)
    assert not any("torch_cell_hoisted" in answer.text for answer in answered(tmp_path, rows).values())


def test_problems_keep_their_order_and_several_devices_are_named(tmp_path):
    places = [(problem, device) for problem in ("q", "p") for device in ("cpu", "cuda")]
    found = answered(tmp_path, [row for p, device in places for row in hoisted(problem=p, device=device)])[HOISTING]
    assert [row[:3] for row in cells(found)] == [[problem, "Training", device] for problem, device in places]
    assert "0.75 ×" in found.text


@pytest.mark.parametrize(
    ("compiled", "said"),
    [
        ({"p": 2.0, "q": 3.0}, "Training: no"),
        ({"p": 0.5, "q": 0.4}, "Training: yes"),
        ({"p": 0.5, "q": 3.0}, "Training: it depends"),
    ],
)
def test_whether_torch_compile_is_worth_it_is_answered_plainly(tmp_path, compiled, said):
    rows = []
    for problem, ratio in compiled.items():
        for name, seconds in (("base", 1e-3), ("torch_cell", 5e-3), ("torch_cell_compiled", 1e-3 * ratio)):
            rows += trained(name, seconds, problem=problem)
    assert answered(tmp_path, rows)["Is torch.compile worth it?"].text.startswith(said)


def test_torch_compile_is_answered_for_training_and_for_inference(tmp_path):
    """What is slower in training may be unclear in inference: one answer does not stand for both."""
    rows = []
    for mode, ratio in (("train_step", 3.0), ("forward", 1.0)):
        for name, seconds in (("base", 1e-3), ("torch_cell", 5e-3), ("torch_cell_compiled", 1e-3 * ratio)):
            rows += trained(name, seconds, mode)
    said = answered(tmp_path, rows)["Is torch.compile worth it?"].text
    assert said.index("Training: no") < said.index("Inference: no, nothing")


def test_the_cost_of_an_option_is_the_ratio_to_the_same_problem_without(tmp_path):
    of_problem = {
        "": (1e-3, "a::fast × 1", None),
        "-var": (5e-2, "a::slow × 9", None),
        "-p1": (3e-3, "a::slow × 9", "no fast"),
        "-l2": (2e-3, "a::fast × 2", None),
        "-l2-drop": (2.2e-3, "a::fast_backward × 2", None),
    }
    rows = []
    for option, (seconds, kernel, warning) in of_problem.items():
        told = {"problem": f"t1-b1-i1-h2{option}", "kernel": kernel, "warning": warning}
        rows += trained("base", seconds, **told) + trained("other", 2e-3, **told)
    shown = {each.title: each for each in complete(save(tmp_path, rows)).shown}
    drawing, answer = shown[DRAWN], shown[COST]
    assert any(label.startswith("base") and "50.0" in label for label in drawing.labels)  # the largest is drawn too
    found = {tuple(row[0].rsplit(", ", 1)): (row[1][:4], row[3]) for row in cells(answer)}
    assert {option: cost for (option, name), cost in found.items() if name == "base"} == {
        "unequal packed rows": ("50.0", "another, silently"),
        "projection to 1": ("3.00", "another, with a warning"),
        "2 layers": ("2.00", "the same"),
        "dropout, over 2 layers": ("1.10", "the same"),
    }
    assert {cost for (_, name), cost in found.items() if name == "other"} == {("1.00", "–")}, "only the baseline's"
    over = {row[0]: row[2][:4] for row in cells(answer)}
    assert over["unequal packed rows, other"] == "2.00", "its time with the option over the baseline's without"
    assert over["dropout, over 2 layers, other"] == "1.00"
    assert [*answer.sentences[:-1]] == [
        (
            "Pad or use other: on unequal packed rows, base takes 50 × its padded time;"
            " other takes 2 × base's padded time."
        ),
        "Projection to 1: base takes 3 × its time without it; other takes 2 × base's time without it.",
        "2 layers: base takes 2 × its time without it.",
    ], "nothing else where it is no quicker"
    assert "2 of these 4" in answer.text


RELEASES = {"0.10.2": (3e-3, "3.11.7"), "0.9.1": (2e-3, "3.9.2"), "0.8.0": (3e-3, "3.13.5")}
"""The seconds and the Python of each."""


def test_releases_are_compared_with_the_newest_in_their_order(tmp_path):
    rows = trained("base", 1e-3, versions="torch 2.13")
    for release, (seconds, python) in RELEASES.items():
        rows += trained(f"jax_scan@jax=={release}", seconds, versions=f"jax {release}, Python {python}")
    # the present one, which is the newest again
    rows += trained("jax_scan", 4e-3, versions="jax 0.10.2, Python 3.11.7")
    found = answered(tmp_path, rows)["Did a release of jax get slower?"]
    assert [(*row[3:5], row[5][:4], row[-1]) for row in cells(found)] == [
        ("jax_scan@jax==0.8.0", "jax 0.8.0, Python 3.13.5", "1.00", "unclear"),
        ("jax_scan@jax==0.9.1", "jax 0.9.1, Python 3.9.2", "0.66", "faster"),
    ]
    assert "jax_scan@jax==0.9.1 takes 0.67 × jax_scan@jax==0.10.2's time" in found.text


def streamed(name, seconds, p99=2, largest=50, problem="t1-b4-i1-h1", **where):
    """Records of an implementation whose p99 and largest call are so many times its median."""
    rows = trained(name, seconds, "forward", workload="stream", problem=problem, batch=4, **where)
    for turn in (turn for row in rows for turn in row["turns"]):
        turn |= {"p99_seconds": p99 * turn["seconds"], "largest_seconds": largest * turn["seconds"]}
    return rows


def test_the_lowest_p99_is_called_clear_only_where_nothing_may_be_as_low(tmp_path):
    rows = []
    for hidden, other in ((1, 2e-5), (2, 1e-5)):
        for name, seconds in (("base", 4e-5), ("quick", 1e-5), ("other", other)):
            rows += streamed(name, seconds, problem=f"t1-b4-i1-h{hidden}")
    first, *_ = answered(tmp_path, rows)[stream.TITLE].sentences
    assert first == "The lowest p99 is quick's at all 2 sizes; at 1, others may be as low. base's is 4.0 × as long."


def test_the_slowest_calls_of_a_stream_stand_beside_what_the_machine_adds(tmp_path):
    rows = streamed("base", 1e-5, 2, 50) + streamed("late", 8e-6, 9, 10) + streamed("peak", 3e-5, 1.1, 3, track="peak")
    found = answered(tmp_path, rows)[stream.TITLE]
    assert [row[0] for row in cells(found)] == ["base, t1-b4-i1-h1", "late, t1-b4-i1-h1"]
    for row, (p50, p99, largest) in zip(cells(found), [(10, 20, 501), (8, 72, 80)], strict=True):
        assert [float(cell.split(" [")[0]) for cell in row[1:4]] == pytest.approx([p50, p99, largest], rel=3e-3)
        assert row[4] == "+3, +60"
    assert found.text.endswith("At batch 4, hidden size 1: base, 20 µs.")
    close = answered(tmp_path / "close", rows + streamed("near", 1e-5, 2, 50))[stream.TITLE]
    assert close.text.endswith("base, 20 µs. near may be as low.")
    quick = answered(tmp_path / "quick", rows + streamed("quick", 1e-6, 2, 50))[stream.TITLE]
    assert quick.text.endswith("At batch 4, hidden size 1: quick, 2 µs; base, 20 µs.")


@pytest.mark.parametrize("problem", ["t1-b1-i1-h1-var", "t1-b1-i1-h1", "p"])
def test_an_option_without_its_like_costs_nothing_known(tmp_path, problem):
    assert not any("cost" in title for title in answered(tmp_path, trained("base", 1e-3, problem=problem)))
