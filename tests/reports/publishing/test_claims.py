"""A claim does not hold where its sentence or a row is missing, or a figure is otherwise."""

import msgspec
import pandas as pd
import pytest
from click.testing import CliRunner

from reports.__main__ import cli
from reports.publishing import claims, pools, texts

ROWS = [
    ("a", "one", "torch_lstm", "default", 1.0, 1.0, "baseline"),
    ("a", "one", "torch_cpp", "tuned", 0.4, 0.6, "faster"),
    ("a", "two", "torch_cpp", "tuned", 0.7, 0.9, "unclear"),
    ("b", "two", "torch_cpp", "tuned", 0.9, 1.1, "unclear"),
]
NAMES = ["machine", "problem", "implementation", "track", "low", "high", "word"]
FIGURES = pd.DataFrame(ROWS, columns=NAMES).assign(column="ratio", mode="train_step", value=1.0, text="1.23")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"sentence": "Which LSTM should I fear?"}, "no such sentence"),
        ({"sentence": "0 of 4005"}, "no such sentence"),  # which stands in a block
        ({"problems": ["one", "three"]}, "no row: torch_cpp, train_step at three"),
        ({"machines": ["a", "b"]}, "no row: torch_cpp, train_step at one b"),
        ({"relation": "slower"}, "torch_cpp, train_step at one on a: 1.23 is not slower"),
        ({"relation": "not faster", "implementations": ["tuned"]}, "torch_cpp, train_step at one on a"),
        ({"problems": ["two"], "relation": "below 1"}, "at two on b: 1.23 is not below 1"),
        ({"relation": "below", "others": ["default"]}, None),
        ({"relation": "below", "others": ["tuned"]}, "no row"),  # but itself
        ({"relation": "above", "others": ["torch_lstm"]}, "1.23 is not above 1.23"),
        ({"problems": ["two"], "relation": "above", "than": "one"}, None),
        ({"relation": "above", "than": "two"}, "1.23 is not above 1.23"),
    ],
)
def test_why_a_claim_does_not_hold(changes, fault):
    claim = {"text": "README.md", "sentence": "Which LSTM should I use?", "problems": ["one"], "relation": "faster"}
    claim = msgspec.convert(claim | {"implementations": ["torch_cpp"]} | changes, claims.Claim)
    faults = list(claims.faults(claim, FIGURES))
    assert (fault in faults[0] and len(faults) == 1) if fault else faults == []


def test_publishing_names_a_claim_that_has_turned(monkeypatch):
    monkeypatch.setattr(texts, "write", lambda _: (["README.md"], [("README.md: 'so'", ["no row"]), ("that", [])]))
    done = CliRunner().invoke(cli, ["publish"], standalone_mode=False)
    assert (done.return_value, done.stderr) == (1, "no longer true: README.md: 'so': no row\n")


@pytest.mark.texts
def test_every_claim_holds_and_can_turn():
    """The negative control: each figure is turned round, in a copy."""
    figures = pd.concat([texts.published().figures, pools.figures()], ignore_index=True)
    turned = figures.assign(value=1, low=1 / figures["high"], high=1 / figures["low"])
    for claim in claims.read():
        assert list(claims.faults(claim, figures)) == []
        word = claim.relation.removeprefix("not ") if claim.relation.startswith("not") else "unclear"
        assert list(claims.faults(claim, turned.assign(word=word)))
