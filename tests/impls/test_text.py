"""Text from outside is on one line, and nothing of it can act on a terminal."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from impls.core.text import one_line
from tests.helpers.poison import live


@given(st.text())
@example("\x1b]8;;https://example.invalid\x1b\\text\x07")
@example("a\0b\x7f \x9b31m a\u202etxt \u2066a\u2069 a\u200fb \ufeffa\u200b\xad \U000e0041 \ue000 \udcff")
def test_no_text_can_act(text):
    shown = one_line(text)
    assert not live(shown)
    assert "\n" not in shown
    assert one_line(shown) == shown


def test_what_can_not_be_seen_is_shown_as_its_escape():
    assert one_line("\x1b[31m \u202e\0\udcff") == "\\x1b[31m \\u202e\\x00\\udcff"


@pytest.mark.parametrize(
    "text", ["torch_lstm", "6.82 [6.61, 7.05] ms", "Größe – 速い × µs", "a\\nb", "C:\\x1b", "e\u0301"]
)
def test_text_that_is_clean_stays(text):
    assert one_line(text) == text


def test_every_line_break_and_row_of_blanks_is_one_blank_and_a_long_text_is_cut():
    assert one_line(" a\r\nb\tc\u2028d\u2029e\x85f  g\xa0h\n") == "a b c d e f g h"
    assert (one_line("abcdef", 4), one_line("abcd", 4)) == ("abc…", "abcd")
