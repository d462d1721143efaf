"""Words that left the project stay out of its code, its pages and its tables.

To ban a word, add it to GONE with the word that is said instead.
"""

import re

import pytest

from tests.helpers.processes import ROOT, git

pytestmark = pytest.mark.texts

GONE = {
    r"tie[sd]?": "unclear",
    r"not sure": "unclear",
    r"oracles?": "reference",
    r"place_of": "device_of",
    r"(torch|jax)_common": "impls/families",
}
"""Each word that is gone, as a regular expression, and the word in its place."""
HISTORY = ("CHANGELOG.md", "docs/decisions/", "reports/published/", "tests/project/test_words.py")
"""Files and folders that may tell of old words."""
ALLOWED = {"tests/reports/test_published.py": r"tie[sd]?"}  # compares old summaries with today's word by word


def left(text):
    """Each line that holds a word that is gone: its number, the word, and what to say."""
    for number, line in enumerate(text.splitlines(), 1):
        for word, instead in GONE.items():
            if match := re.search(rf"(?<![^\W_]){word}(?![^\W_])", line, re.IGNORECASE):
                yield number, word, f"{match[0]!r} (say {instead})"


@pytest.mark.process
def test_words_that_are_gone_stay_out():
    names = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.md", "*.j2").splitlines()
    found = [
        f"{name}, line {number}: {why}"
        for name in names
        if not name.startswith(HISTORY) and (ROOT / name).is_file()
        for number, word, why in left((ROOT / name).read_text(encoding="utf-8"))
        if ALLOWED.get(name) != word
    ]
    assert names
    assert not found, "\n".join(found)


def test_a_word_that_is_gone_is_found_and_one_inside_another_is_not():
    gone = ["all else is a tie", "Tied with it", "we are not sure", "ORACLE = 1", "is_tie(x)", "the twin is a tie,"]
    assert [len(list(left(line))) for line in gone] == [1] * len(gone)
    assert not list(left("properties\na necktie\nuntied\noracular\nsure, not"))
