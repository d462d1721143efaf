"""Growth with a size: exponents of a known law are found, and crossings are named."""

import numpy as np
import pytest

from reports.parts.growth import standing
from tests.helpers.answers import answered
from tests.helpers.records import record

SIZES = (1, 2, 4, 8, 16, 32, 64)
BATCH = "How does time grow with the batch?"


def swept(name, law, size="batch", sizes=SIZES, noise=0.002, **changes):
    """Four replicates at every size; `law` gives the seconds at a size."""
    rng, rows = np.random.default_rng(len(name)), []
    for n in sizes:
        where = {"workload": "sequence", "mode": "train_step", "problem": f"{size}{n}", size: n, **changes}
        rows += [record(name, k, float(law(n) * np.exp(rng.normal(0, noise))), **where) for k in range(4)]
    return rows


def test_the_exponents_of_both_ends_are_found(tmp_path):
    rows = swept("base", lambda n: 1e-3 * (1 + n / 16)) + swept("other", lambda n: 1e-4 * n**0.8)
    answer = answered(tmp_path, rows)[BATCH]
    found = {row.implementation: row for row in answer.rows}
    assert found["other"].small_low < 0.8 < found["other"].small_high
    assert found["other"].large == pytest.approx(0.8, abs=0.02)
    assert found["base"].large == pytest.approx(np.log(5 / 2) / np.log(4), abs=0.02)
    assert "twice the batch makes a training step 1.6 (base) to 1.7 (other) times as long" in answer.sentence


def test_a_crossing_names_the_sizes_between_which_it_lies(tmp_path):
    rows = swept("base", lambda n: 1e-3) + swept("other", lambda n: 1e-4 * n**0.8)
    answer = answered(tmp_path, rows)[BATCH]
    crossed = "faster up to 16, slower from 32"
    assert {row.implementation: row.against for row in answer.rows} == {"base": "–", "other": crossed}
    assert f"Training: relative to base, other is {crossed}." in answer.sentence


def test_few_sizes_are_no_sweep_and_what_lacks_a_size_has_no_exponent(tmp_path):
    assert BATCH not in answered(tmp_path / "few", swept("base", lambda n: 1e-3, sizes=SIZES[:4]))
    rows = swept("base", lambda n: 1e-3 * n) + swept("other", lambda n: 1e-3 * n, sizes=SIZES[1:])
    assert {row.implementation for row in answered(tmp_path, rows)[BATCH].rows} == {"base"}


def test_problems_with_lengths_are_no_part_of_a_sweep_without(tmp_path):
    rows = swept("base", lambda n: 1e-3 * n, lengths=False)
    rows += [{**row, "problem": f"{row['problem']}-var", "lengths": True} for row in rows[:8]]
    assert answered(tmp_path, rows)[BATCH].rows[0].large == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ("fffff", "faster from 1 to 16"),
        ("uuuuu", "unclear at every size"),
        ("ffuss", "faster up to 2, slower from 8"),
        ("fsfsf", "faster up to 1, slower at 2, faster at 4, slower at 8, faster from 16"),
        ("uffuu", "faster from 2 to 4"),
        ("uufuu", "faster at 4"),
        ("sffsu", "slower up to 1, faster from 2 to 4, slower at 8"),
    ],
)
def test_where_it_is_faster_and_where_slower(verdicts, words):
    meaning = {"f": "faster", "s": "slower", "u": "unclear"}
    assert standing((1, 2, 4, 8, 16), [meaning[letter] for letter in verdicts]) == words
