"""The table beside the answer at a shape."""

from reports import selection
from reports.headline import recommendations
from reports.machines import by_machine
from reports.site.index import best_of_tracks, of_tracks, part
from tests.helpers.answers import report_of
from tests.helpers.records import save, trained


def beside_the_answer(runs):
    """The cells of the table beside the only answer of a machine."""
    (machine,) = by_machine([report_of(run, run.run_id) for run in runs])
    (advised,) = recommendations(machine.head, selection.sequences(machine.runs))
    return [[column.cell(row) for column in of_tracks("base")] for row in best_of_tracks(advised)]


def test_no_answer_is_from_older_code_where_another_run_has_newer(tmp_path):
    """What is only there as older code still answers, and is called that."""
    old = {"digest": "0" * 16, "run_id": "20260101T000000-a"}
    rows = [*trained("base", 1e-3, run_id=old["run_id"])]
    rows += [*trained("jax_scan", 5e-4, **old), *trained("torch_cell", 8e-4, **old), *trained("other", 1e-3, **old)]
    mixed = save(tmp_path / "a", rows, old["run_id"])
    quick = save(tmp_path / "b", [*trained("base", 1e-3, run_id="b"), *trained("jax_scan", 2e-3, run_id="b")], "b")
    for runs, name in (([mixed], "jax_scan"), ([quick, mixed], "torch_cell")):
        first, *_ = beside_the_answer(runs)
        assert first[0] == f"{name}, older code"


def test_beside_the_advice_with_an_option_is_what_it_costs(tmp_path):
    rows = []
    for option, seconds in (("", 1e-3), ("-nobias", 2e-3), ("-var", 4e-3)):
        rows += trained("base", seconds, problem=f"t1-b1-i1-h2{option}")
    (machine,) = by_machine([report_of(save(tmp_path / "run", rows), "run")])
    costs = {
        "t1-b1-i1-h2-nobias": "With no bias, base takes 2.00 × its time without.",
        "t1-b1-i1-h2-var": "Pad, if you can: on padded rows, base takes 0.25 × its time on packed ones.",
    }
    of_training = {(problem, "train_step"): words for problem, words in costs.items()}
    assert part(machine, tmp_path, is_brief=False)["costs"] == of_training


def test_beside_the_advice_is_the_best_plain_and_tuned_code_of_each_framework(tmp_path):
    """Who uses JAX finds plain JAX, though tuned code of another framework is faster."""
    of = {
        "base": (1e-3, "default", "torch 2.13.0"),
        "torch_cpp": (5e-4, "tuned", "torch 2.13.0"),
        "jax_scan": (2e-3, "default", "jax 0.10.2"),
        "jax_scan@jax==0.8.*": (1e-3, "default", "jax 0.8.3"),
        "jax_loop": (3e-3, "default", "jax 0.10.2"),
        "jax_ffi": (4e-4, "tuned", "jax 0.10.2"),
    }
    rows = []
    for name, (seconds, track, versions) in of.items():
        rows += trained(name, seconds, track=track, versions=versions)
    found = beside_the_answer([save(tmp_path, rows)])
    assert [[cell[:4] if k else cell for k, cell in enumerate(row)] for row in found] == [
        ["jax_ffi, tuned", "0.40", "fast"], ["torch_cpp, tuned", "0.50", "fast"],
        ["base", "1", "base"], ["jax_scan", "2.00", "slow"],
    ]  # fmt: skip
