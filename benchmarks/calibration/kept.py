"""The JSON files that a calibration keeps. A sizing's process imports this, too."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from impls.core.files import read_regular

Content = TypeVar("Content")


def read(path: Path, kind: type[Content]) -> Content:
    """Return what a file holds.

    Raises:
        ValueError: where it is damaged. One line, with its path.
    """
    try:
        return msgspec.json.decode(read_regular(path), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
