"""Text from outside (names, reasons, file names, a CPU's brand), made safe to show; and JSON that people can read."""

from typing import Any

import msgspec


def one_line(text: str, limit: int | None = None) -> str:
    r"""Return text on one line, with its clean form: what can't be seen is shown as its escape, such as `\x1b`.

    Those are the control, format, private and unassigned characters and surrogates of Unicode: they could steer a
    terminal, turn the direction of text, or hide in a name. White space becomes one blank.
    A text of more than `limit` characters ends in `…`.
    """
    signs = (
        sign if sign.isprintable() or sign.isspace() else sign.encode("unicode_escape").decode()
        for sign in text
    )
    line = " ".join((text if text.isprintable() else "".join(signs)).split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def json_text(content: Any) -> str:
    """Return content as indented JSON that ends in a line feed. What JSON has no form for is text."""
    return msgspec.json.format(msgspec.json.encode(content, enc_hook=str), indent=1).decode() + "\n"
