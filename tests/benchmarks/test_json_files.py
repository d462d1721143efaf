"""A JSON file is read into a type, or one line names the file and the place."""

import os

import msgspec
import pytest

from benchmarks import json_files


class Content(msgspec.Struct):
    """A type with a place to be wrong at."""

    names: list[str]
    number: int = 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not readable JSON"),
        (b'{"names": ["\xff"]}', "is not readable JSON"),
        (b'{"names": ' + b"[" * 100_000, "is not what it should be: Expected `str`"),
        (b'{"names": [], "else": ' + b"[" * 100_000, "is not readable JSON"),
        (b"[]", "is not what it should be: Expected `object`, got `array`"),
        (b'{"names": ["a", 1]}', "Expected `str`, got `int` - at `$.names[1]`"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path, content, message):
    (tmp_path / "it.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"it\.json is") as caught:
        json_files.read(tmp_path / "it.json", Content)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_known_is_ignored_and_a_missing_and_a_large_file_are_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"it\.json does not exist"):
        json_files.read(tmp_path / "it.json", Content)
    (tmp_path / "it.json").write_text('{"names": ["a"], "else": 1}')
    assert json_files.read(tmp_path / "it.json", Content) == Content(["a"])
    os.truncate(tmp_path / "it.json", 2**26 + 1)
    with pytest.raises(ValueError, match=r"it\.json has .* MiB"):
        json_files.read(tmp_path / "it.json", Content)
