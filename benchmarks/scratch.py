"""A folder for compile caches and logs while something is measured."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impls.core import environments
from impls.core.files import temporary_folder


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder that is removed at the end. What killed processes left, half-built environments too, goes first."""
    environments.sweep()
    with temporary_folder(Path(tempfile.gettempdir()), "lstm-bench-") as folder:
        yield folder
