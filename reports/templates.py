"""The HTML that the suite writes comes from the templates in page/: every value is escaped and stands on one line."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from impls.core.text import one_line

PAGE = Path(__file__).with_name("page")


def render(template: str, **values: Any) -> str:
    """Return a template of page/ with these values."""
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        loader=jinja2.FileSystemLoader(PAGE),
    )
    environment.filters["address"] = _address
    environment.filters["broken"] = _broken
    return environment


def _shown(value: Any) -> Any:
    """Return what the template shows of a value: text from outside on one line; what is markup already as it is."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _address(path: str) -> str:
    """Return the address of a file, which is relative to the page."""
    return quote(os.fsencode(f"./{path}"))


def _broken(name: str, sign: str) -> Markup:
    """Return a name that may be broken after a sign."""
    return escape(one_line(name)).replace(sign, sign + Markup("<wbr>"))
