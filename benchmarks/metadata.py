"""What environment.json says of a run: the machine, the versions, the commit and the run's options.

The runner writes it, and a report reads it back. Where an older file does not say something, the field has its
default: "unknown" for a word, None for the rest.
"""

from pathlib import Path

import msgspec

from benchmarks import json_files
from benchmarks.options import Options
from benchmarks.processors import UNKNOWN, Machine

ENVIRONMENT = "environment.json"
"""The file of a run's folder that holds its Metadata."""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """The commit of the checkout, and whether files differed from it."""

    id: str | None = None
    dirty: bool | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of environment.json.

    `versions` has "python" and the distributions; None stands for one that is not installed. Of several rounds that
    were joined, `rounds` has their run_ids, `systems` each of their systems once, and the rest is of the newest.
    """

    machine: Machine = Machine()
    versions: dict[str, str | None] = {}
    variables: dict[str, str] = {}
    commit: Commit = Commit()
    matmul_precision: str = UNKNOWN
    run: Options
    rounds: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()


def read_metadata(path: Path) -> Metadata:
    """Read an environment.json; ValueError says in one line what is wrong with it.

    In older files, the GPU's driver stands behind its name.
    """
    described = json_files.read(path, Metadata)
    name, comma, driver = (described.machine.gpu or "").rpartition(", ")
    if not comma:
        return described
    machine = msgspec.structs.replace(described.machine, gpu=name, gpu_driver=driver)
    return msgspec.structs.replace(described, machine=machine)
