"""Which commit made it slower: a search by halves over the commits of a range, with the gate as the test.

Every commit is compared with the same good one, and only at the benchmarks at which the bad one is slower. A commit
that has the good one's implementations is good without being measured. One that cannot be measured is skipped, and one
at which what is searched for stays unclear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from benchmarks.regression.decision import UNCLEAR
from benchmarks.regression.outcome import Result
from benchmarks.regression.snapshots import Unusable, git, resolve


def commits_of(text: str, folder: Path) -> tuple[str, str]:
    """Return the good and the bad commit of such as `v1.2..HEAD`.

    Raises:
        Unusable: where it names no commits, or the good one is no ancestor of the bad one. One line.
    """
    good, dots, bad = text.partition("..")
    if not (good and dots and bad):
        raise Unusable(f"{text!r} is not a range; write GOOD..BAD")
    first, last = resolve(folder, good), resolve(folder, bad)
    if first == last:
        raise Unusable(f"{good} and {bad} are the same commit")
    if git(folder, "merge-base", "--all", first, last).decode().split() != [first]:
        raise Unusable(f"{good} is not an ancestor of {bad}")
    return first, last


def is_bad(result: Result, searched: Collection[tuple[str, str]]) -> bool | None:
    """Return whether any of these regressions, as `Result.worse` lists them, is in a commit; None where unclear."""
    if result.worse.keys() & {*searched}:
        return True
    undecided = any(
        finding.verdict == UNCLEAR and not finding.dropped
        for finding in result.findings
        if (finding.benchmark, finding.metric) in searched
    )
    return None if undecided or result.unmeasured else False


def search(folder: Path, good: str, bad: str, test: Callable[[str], bool | None]) -> list[str]:
    """Return the first bad commit of a range, then those that were skipped and may be it too.

    Args:
        folder: a folder of the repository.
        good, bad: the ends of the range.
        test: whether a commit is bad; None skips it.
    """
    good_ones, skipped = [good], set[str]()
    while True:
        ranked = git(folder, "rev-list", "--bisect-all", bad, "--not", *good_ones).decode().splitlines()
        left = [line.split()[0] for line in ranked if line.split()[0] not in (bad, *skipped)]
        if not left:
            return [bad, *(line.split()[0] for line in ranked if line.split()[0] != bad)]
        verdict = test(left[0])
        if verdict is None:
            skipped.add(left[0])
        elif verdict:
            bad = left[0]
        else:
            good_ones.append(left[0])
