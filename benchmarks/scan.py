"""Sizes that are scanned: the problems that --scan stands for."""

import itertools
import math
import re
from collections.abc import Iterable, Sequence

from benchmarks.cases import QUICK
from impls.core.problem import Problem

BASE = QUICK[0]
"""The problem whose sizes are replaced where no other is named."""
FIELDS = {
    "steps": "seq_len",
    "batch": "batch",
    "input": "input_size",
    "hidden": "hidden_size",
    "layers": "num_layers",
    "seq_len": "seq_len",
    "batch_size": "batch",
    "input_size": "input_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_layers",
}
"""The field of a Problem by its names on a command line."""
MOST_PROBLEMS = 200
PART = re.compile(r"([1-9]\d{0,17})(?:\.\.([1-9]\d{0,17}))?", re.ASCII)
"""A size, or a range of sizes."""


def sizes_of(part: str) -> list[int]:
    """Return the sizes of a part of a list: `24` is itself, and `16..128` is 16, 32, 64 and 128."""
    match = PART.fullmatch(part)
    if match is None:
        raise ValueError(f"{part!r} is no size; write sizes as 1,16,256 or 16..1024")
    sizes = [int(match[1])]
    last = int(match[2] or match[1])
    while sizes[-1] < last:
        sizes.append(2 * sizes[-1])
    if sizes[-1] != last:
        raise ValueError(
            f"doubling {sizes[0]} never gives {last}, so {part} is no range; write a list, such as {sizes[0]},{last}"
        )
    return sizes


def sizes_by_field(scans: Iterable[str]) -> dict[str, list[int]]:
    """Return the sizes of each field that is scanned, of scans such as `hidden=16..1024`, each size once.

    Raises:
        ValueError: where a scan cannot be read, or scans what another does.
    """
    found: dict[str, list[int]] = {}
    for scan in scans:
        name, _, values = scan.partition("=")
        field = FIELDS.get(name)
        if field is None:
            raise ValueError(
                f"--scan {scan}: {name!r} is no name of a size; it is steps, batch, input, hidden or layers,"
                " as in hidden=16..1024"
            )
        if field in found:
            raise ValueError(f"--scan {scan}: {name} is scanned twice; write one list of its sizes")
        sizes: list[int] = []
        try:
            for part in values.split(","):
                sizes += sizes_of(part)
        except ValueError as error:
            raise ValueError(f"--scan {scan}: {error}") from None
        found[field] = list(dict.fromkeys(sizes))
    return found


def scanned(
    bases: Sequence[Problem], scans: Iterable[str], input_follows_hidden: bool
) -> list[Problem]:
    """Return each base with every combination of the scanned sizes.

    Args:
        bases: their other sizes and their variants stay.
        scans: such as `hidden=16..1024`.
        input_follows_hidden: whether input_size is hidden_size where it is not scanned itself.

    Raises:
        ValueError: where a scan cannot be read, a base cannot have a size, or there are more than MOST_PROBLEMS.
    """
    sizes = sizes_by_field(scans)
    count = len(bases) * math.prod(map(len, sizes.values()))
    if count > MOST_PROBLEMS:
        raise ValueError(
            f"--scan stands for {count} problems; more than {MOST_PROBLEMS} are too many for a run"
        )
    problems = []
    for base in bases:
        for values in itertools.product(*sizes.values()):
            problem = base.replace(**dict(zip(sizes, values, strict=True)))
            if input_follows_hidden and "input_size" not in sizes:
                problem = problem.replace(input_size=problem.hidden_size)
            problems.append(problem)
    return problems
