"""Whether sentences of README and docs still hold: docs/claims.toml has the figures that each leans on."""

import functools
import re
import tomllib
from collections.abc import Iterator
from itertools import product

import msgspec
import pandas as pd

from benchmarks import ROOT
from reports.frames import USUAL_BASELINE
from reports.publishing import pools
from reports.publishing.figures import STEP, Published, not_measured

PATH = ROOT / "docs" / "claims.toml"
BLOCK = re.compile(r"<!-- (\S+) -->\n.*?<!-- end of \1 -->", re.DOTALL)
RELATIONS = {
    "faster": "word == 'faster'",
    "not faster": "word != 'faster'",
    "slower": "word == 'slower'",
    "not slower": "word != 'slower'",
    "another, silently": "word == 'another, silently'",
    "none": "value == 0",
    "below 1": "high < 1",
    "above 1": "low > 1",
    "below": "high < low_other",
    "above": "low > high_other",
}
"""What a figure can be, by its verdict or operator or by its interval; and to another one, whose interval is apart."""


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sentence, and what must hold of each figure that it leans on.

    Attributes:
        text, sentence: the path of the text, and the sentence in it, or its beginning.
        column, problems, modes, implementations: which figures; `default` and `tuned` stand for all of a track.
        relation: one of RELATIONS.
        others: the implementations that each figure is compared with, at the same problem.
        than: the problem at which it is compared with the same implementation.
        machines: beginnings of labels. For each there must be a figure; what other machines lack is left out.
    """

    text: str
    sentence: str
    column: str = "ratio"
    problems: tuple[str, ...]
    modes: tuple[str, ...] = (STEP,)
    implementations: tuple[str, ...] = (USUAL_BASELINE,)
    relation: str
    others: tuple[str, ...] = ()
    than: str = ""
    machines: tuple[str, ...] = ("",)


def read() -> list[Claim]:
    """Return the claims of docs/claims.toml; a ValueError says what can't be read there."""
    content = tomllib.loads(PATH.read_text(encoding="utf-8"))
    try:
        claims = msgspec.convert(content["claims"], list[Claim])
    except msgspec.ValidationError as error:
        raise ValueError(f"{PATH}: {error}") from None
    for claim in claims:
        if claim.relation not in RELATIONS:
            raise ValueError(
                f"{PATH}: {claim.sentence!r} has the relation {claim.relation!r};"
                f" it must be one of {', '.join(RELATIONS)}"
            )
    return claims


Checked = tuple[str, list[str]]


def check(published: Published) -> Iterator[Checked]:
    """Yield each sentence after its text, with why it does not hold: nothing where it does.

    Also each figure that docs/tables.toml shows, and nobody has measured.
    """
    figures = pd.concat([published.figures, pools.figures()], ignore_index=True)
    for place in not_measured(published.figures):
        yield f"docs/tables.toml: {place}", ["no row"]
    for claim in read():
        yield f"{claim.text}: {claim.sentence!r}", list(faults(claim, figures))


def faults(claim: Claim, figures: pd.DataFrame) -> Iterator[str]:
    """Yield why a claim does not hold: there is no such sentence or row, or a figure is otherwise."""
    if claim.sentence not in _prose(claim.text):
        yield "the text has no such sentence outside of its blocks"
    figures = figures[figures["column"] == claim.column]
    places = product(claim.problems, claim.modes, claim.implementations, claim.machines)
    for problem, mode, name, machine in places:
        rows = _of(figures, problem, mode, (name,))
        rows = rows[rows["machine"].str.startswith(machine)]
        if claim.others or claim.than:
            others = _of(figures, claim.than or problem, mode, claim.others or (name,))
            rows = rows.merge(others, on="machine", suffixes=("", "_other"))
            rows = rows.query("implementation != implementation_other or problem != problem_other")
        if rows.empty:
            yield f"no row: {name}, {mode} at {problem} {machine}".rstrip()
        for row in rows.query(f"not ({RELATIONS[claim.relation]})").itertuples():
            other = f" {row.text_other}" if claim.others or claim.than else ""
            figure = f"{row.implementation}, {mode} at {problem} on {row.machine}: {row.text}"
            yield f"{figure} is not {claim.relation}{other}"


@functools.cache  # many claims are about a text
def _prose(path: str) -> str:
    """Return a text without its blocks, in one line."""
    text = BLOCK.sub("", (ROOT / path).read_text(encoding="utf-8"))
    return " ".join(text.split())


def _of(figures: pd.DataFrame, problem: str, mode: str, names: tuple[str, ...]) -> pd.DataFrame:
    """Return the figures of some implementations or tracks."""
    rows = figures[(figures["problem"] == problem) & (figures["mode"] == mode)]
    return rows[rows["implementation"].isin(names) | rows["track"].isin(names)]
