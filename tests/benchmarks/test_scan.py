"""The problems of scans: every combination of the sizes, and nothing else of a problem changes."""

import dataclasses
import itertools

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scan import FIELDS, scanned
from impls.core.problem import Problem

SINGLE = st.integers(1, 60).map(lambda size: (str(size), [size]))
RANGE = st.builds(
    lambda first, count: (f"{first}..{first * 2**count}", [first * 2**k for k in range(count + 1)]),
    st.integers(1, 15),
    st.integers(0, 2),
)
VALUES = st.lists(SINGLE | RANGE, min_size=1, max_size=2)
"""Parts of a list of sizes, each with the sizes that it is."""
SCANS = st.dictionaries(st.sampled_from(list(FIELDS)), VALUES, max_size=2).filter(
    lambda scans: len({FIELDS[name] for name in scans}) == len(scans)
)
BASE = Problem.parse("t7-b3-i5-h11-l2-bi-var-float64")


@given(SCANS, st.booleans())
def test_the_problems_are_the_product_of_the_sizes(scans, follows):
    texts = []
    expected = {}
    for name, parts in scans.items():
        texts.append(f"{name}={','.join(text for text, _ in parts)}")
        expected[FIELDS[name]] = {size for _, sizes in parts for size in sizes}
    others = dataclasses.asdict(BASE)
    for field in expected:
        del others[field]
    follows_here = follows and "input_size" not in expected
    if follows_here:
        del others["input_size"]
    problems = scanned([BASE], texts, follows)
    combinations = [tuple(getattr(problem, field) for field in expected) for problem in problems]
    assert sorted(combinations) == sorted(itertools.product(*expected.values()))
    for problem in problems:
        assert others.items() <= dataclasses.asdict(problem).items()
        assert not follows_here or problem.input_size == problem.hidden_size
