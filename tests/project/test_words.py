"""Words that left the project stay out of its code, its pages and its tables.

To ban a word, add it to GONE with the word that is said instead.
"""

import re

import pytest

from tests.helpers.processes import ROOT, git

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
ALLOWED = {
    ("tests/reports/test_published.py", r"tie[sd]?"): "old summaries are compared word by word with today's",
}


def left(text):
    """The numbers and words of the lines that hold a word that is gone."""
    for number, line in enumerate(text.splitlines(), 1):
        for word, instead in GONE.items():
            if match := re.search(rf"(?<![^\W_]){word}(?![^\W_])", line, re.IGNORECASE):
                yield number, word, f"{match[0]!r} (say {instead})"


@pytest.mark.process
@pytest.mark.parametrize("ending", ["py", "md", "j2"])
def test_words_that_are_gone_stay_out(ending):
    names = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", f"*.{ending}").splitlines()
    told = [
        f"{name}, line {number}: {why}"
        for name in names
        if not name.startswith(HISTORY) and (ROOT / name).is_file()
        for number, word, why in left((ROOT / name).read_text(encoding="utf-8"))
        if (name, word) not in ALLOWED
    ]
    assert names
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    "line", ["all else is a tie", "Tied with it", "we are not sure", "ORACLE = 1", "is_tie(x)", "the twin is a tie,"]
)
def test_a_word_that_is_gone_is_found(line):
    assert len(list(left(line))) == 1


@pytest.mark.parametrize("line", ["properties", "a necktie", "untied", "oracular", "sure, not"])
def test_a_word_inside_another_is_not(line):
    assert not list(left(line))


def test_every_exception_is_still_needed():
    for name, word in ALLOWED:
        assert word in {found for _, found, _ in left((ROOT / name).read_text(encoding="utf-8"))}
