"""Text from outside that would steer a terminal, or be markup on a page, if it left as it is."""

import unicodedata

POISON = (
    "\x1b]0;t\x07\x1b[31m\0\u202e[x](javascript:alert(1)) @octocat #123 `c` <img src=x> [red]a[/red] |e|\nerror: forged"
)
LIVE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def live(text):
    """Return the signs of a text that steer a terminal or hide."""
    return {sign for sign in text if unicodedata.category(sign) in LIVE} - {"\n"}
