"""Publishing by a test, into a folder of its own."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner, Result

from reports.__main__ import cli


def names(to: Path) -> list[str]:
    """The names of the published runs in a folder."""
    return sorted(path.name for path in to.iterdir() if path.is_dir())


def publish(folder: Path, to: Path, *more: Path) -> Result:
    """What `publish` does with runs where another folder holds the published ones."""
    with patch("reports.publishing.command.PUBLISHED", to):
        return CliRunner().invoke(cli, ["publish", *map(str, (folder, *more))], standalone_mode=False)
