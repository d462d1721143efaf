"""Words that left the project stay out of its code and its pages. To ban a word, add it to GONE."""

import re

import pytest

from tests.helpers.processes import ROOT, git

pytestmark = pytest.mark.texts

GONE = {r"tie[sd]?": "unclear", "not sure": "unclear", r"oracles?": "reference"}
"""Each word that is gone, as a regular expression, and the word in its place."""
HISTORY = ("CHANGELOG.md", "docs/decisions/", "reports/published/", "tests/project/test_words.py",
           "tests/reports/test_published.py")  # fmt: skip
"""Files and folders that may tell of old words."""


def left(text):
    """Each word of a text that is gone, and what to say."""
    for word, instead in GONE.items():
        for match in re.finditer(rf"(?<![^\W_]){word}(?![^\W_])", text, re.IGNORECASE):
            yield f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]!r} (say {instead})"


@pytest.mark.process
def test_words_that_are_gone_stay_out():
    names = git(ROOT, "ls-files", "--cached", "*.py", "*.md", "*.j2").splitlines()
    texts = {name: (ROOT / name).read_text() for name in names if not name.startswith(HISTORY)}
    assert {name: found for name, text in texts.items() if (found := list(left(text)))} == {}
    assert len(texts) > 200
    assert len(list(left("a tie\nTied with it, not sure. ORACLE = is_tie(necktie, untied, oracular)"))) == 5
