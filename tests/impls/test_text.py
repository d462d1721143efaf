"""Text from outside is on one line, and nothing of it can act on a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impls.core.text import one_line

HOSTILE = {
    "escape": "\x1b[31mred",
    "title": "\x1b]0;title\x07",
    "link": "\x1b]8;;https://example.invalid\x1b\\text",
    "nul": "a\0b",
    "C1 introducer": "\x9b31m",
    "delete": "a\x7f",
    "override": "a\u202etxt",
    "isolate": "\u2066a\u2069",
    "mark": "a\u200fb",
    "zero width": "a\u200bb\u200d",
    "byte order": "\ufeffa",
    "soft hyphen": "a\xadb",
    "tag": "a\U000e0041",
    "private": "\ue000",
    "surrogate": "a\udcff",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_can_not_be_seen_is_shown_as_its_escape(name):
    shown = one_line(HOSTILE[name])
    assert shown.isprintable()
    assert "\\" in shown


@given(st.text())
def test_no_text_can_act(text):
    shown = one_line(text)
    assert not {unicodedata.category(sign) for sign in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert one_line(shown) == shown


@pytest.mark.parametrize(
    "text", ["torch_lstm", "6.82 [6.61, 7.05] ms", "Größe – 速い × µs", "a\\nb", "C:\\x1b", "e\u0301"]
)
def test_text_that_is_clean_stays(text):
    """The negative control."""
    assert one_line(text) == text


def test_every_line_break_and_row_of_blanks_is_one_blank():
    assert one_line(" a\r\nb\tc\u2028d\u2029e\x85f  g\xa0h\n") == "a b c d e f g h"


def test_a_long_text_is_cut():
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"
