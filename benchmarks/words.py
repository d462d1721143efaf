"""Words and quantities in tables and messages: counts, lists, seconds, intervals, bytes, shares, text in Markdown."""

import math
import re
from collections.abc import Sequence

from impls.core.text import one_line

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
WIDE = 4.0
"""An interval wider than this factor says nothing of digits: each of its numbers then has two."""
_MARKUP = re.compile(
    r"""
    (?P<number>\A\d{1,9}(?=[.)](?:\s|\Z)))?  # a numbered item
    (?P<sign>
    (?(number)[.)]|(?!))
    | [|*`]                        # a cell's end, emphasis, code
    | \](?=[(\[:])                 # the end of a link's text
    | \\(?=[!-/:-@\[-`{-~])        # a backslash that would escape the next sign
    | <(?=[A-Za-z/!?])             # a tag
    | &(?=\#?\w+;)                 # an entity such as &lt;
    | ~(?=~) | (?<=~)~             # struck out
    | (?<![^\W_])_ | _(?![^\W_])   # emphasis; inside a name such as torch_lstm it is none
    | \A(?:>|\#(?=[\#\s]|\Z)|[-+](?=[\s-]|\Z)|=(?=[=\s]*\Z))  # what starts a block
    | (?<=\s)\#(?=\#*\Z)           # the end of a heading
    )
    """,
    re.VERBOSE,
)


def count(number: int, word: str) -> str:
    """Return such as `1 block` or `3 blocks`."""
    if number == 1:
        return f"1 {word}"
    return f"{number} {word}s"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return such as `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def span(words: Sequence[str]) -> str:
    """Return the first and the last of some words, such as `a to b`; one where they are the same."""
    return " to ".join(dict.fromkeys([*words[:1], *words[-1:]]))


def markdown_cell(text: str) -> str:
    """Return text for one cell of a table in GitHub's Markdown: on one line, and every sign shown as it is.

    Only what GitHub would take for markup is changed, so that the file also reads well as text.
    """
    return _MARKUP.sub(lambda match: f"{match['number'] or ''}\\{match['sign']}", one_line(text))


def unit_of(seconds: float) -> tuple[float, str]:
    """Return the unit in which a time reads best: its size in seconds, and its sign."""
    return next((unit for unit in UNITS if abs(seconds) >= unit[0]), UNITS[-1])


def two_digits(value: float) -> str:
    """Return a number with two digits, such as `0.62`."""
    return f"{float(f'{value:.2g}'):g}"


def duration(seconds: float) -> str:
    """Return such as `18.2 ms`, with three digits."""
    if math.isnan(seconds):
        return "–"
    seconds = float(f"{seconds:.3g}")  # first, so that 999.9 µs is 1 ms
    scale, sign = unit_of(seconds)
    return f"{seconds / scale:.3g} {sign}"


def size(count: float) -> str:
    """Return a number of bytes in MiB."""
    if math.isnan(count):
        return "–"
    return f"{count / 2**20:.0f} MiB"


def share(value: float) -> str:
    """Return a share of 1 in per cent, with two digits, such as `41 %` or `0.62 %`."""
    if math.isnan(value):
        return "–"
    return f"{two_digits(100 * value)} %"


def signed(seconds: float) -> str:
    """Return a difference such as `+240 µs` or `−3 µs`."""
    if math.isnan(seconds):
        return "–"
    return ("−" if seconds < 0 else "+") + duration(abs(seconds))


def interval(value: float, low: float, high: float) -> str:
    """Return such as `6.82 [6.61, 7.05]`: at as many decimals, up to 4, that half of the interval has two digits.

    An interval that is not finite comes from one replicate.
    """
    if math.isnan(value):
        return "–"
    if not math.isfinite(high) or low <= 0:
        return f"{value:.3g} [one replicate]"
    if high > WIDE * low:
        return f"{two_digits(value)} [{two_digits(low)}, {two_digits(high)}]"
    half = (high - low) / 2
    digits = max(0, min(4, 1 - math.floor(math.log10(half)))) if half > 0 else 3
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def time_with_interval(value: float, low: float, high: float) -> str:
    """Return such as `6.82 [6.61, 7.05] ms` for a time in seconds."""
    scale, sign = unit_of(value)
    return f"{interval(value / scale, low / scale, high / scale)} {sign}"


def error(value: float) -> str:
    """Return a relative error, such as `7e-07`."""
    if math.isnan(value):
        return "–"
    return f"{value:.0e}"
