"""Read a JSON file into a type, and write one. What is wrong with one is one line: the file, and the place in it."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from impls.core.files import read_regular, write_text
from impls.core.text import json_text, one_line

Content = TypeVar("Content")


def read(path: Path, kind: type[Content]) -> Content:
    """Return what a JSON file holds. Keys that the type does not have are ignored, unless it forbids them.

    Raises:
        ValueError: there is no such file, it is too large, it is not JSON, or it holds something else. One line.
    """
    content = read_regular(path)
    try:
        # the hook makes types of our own, such as a GateKey
        return msgspec.json.decode(content, type=kind, dec_hook=lambda own, text: own(text))
    except msgspec.ValidationError as error:
        raise ValueError(f"{path} is not what it should be: {one_line(str(error))}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not readable JSON ({error})") from None


def write(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json_text(content))
