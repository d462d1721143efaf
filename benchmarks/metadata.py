"""What environment.json says of a run: the machine, the versions, the commit and the run's options.

The runner writes it, and a report reads it back. Where an older file does not say something, the field has its
default: "unknown" for a word, None for the rest.
"""

from __future__ import annotations

import msgspec

from benchmarks.options import Options

UNKNOWN = "unknown"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that a run was measured on.

    Family, model and stepping are Linux's; on Arm, its architecture, part and revision. `caches` has bytes, by names
    such as L2. Older files have more fields, which nobody reads.
    """

    cpu: str = UNKNOWN
    vendor: str | None = None
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    instructions: tuple[str, ...] = ()
    caches: dict[str, int] = {}
    cores: int | None = None
    memory_bytes: int | None = None
    gpu: str | None = None
    system: str = UNKNOWN


def name_and_driver(gpu: str | None) -> tuple[str, str]:
    """Return the two parts of a Machine's gpu, which have a comma between; "" for what it lacks."""
    name, comma, driver = (gpu or "").rpartition(", ")
    return (name, driver) if comma else (driver, "")


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """The commit of the checkout, and whether files differed from it."""

    id: str | None = None
    dirty: bool | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of environment.json.

    `versions` has "python" and the distributions; None stands for one that is not installed. Of several rounds that
    were joined, `rounds` has their run_ids, and the rest is of the newest.
    """

    machine: Machine = Machine()
    versions: dict[str, str | None] = {}
    variables: dict[str, str] = {}
    commit: Commit = Commit()
    matmul_precision: str = UNKNOWN
    run: Options
    rounds: tuple[str, ...] = ()
