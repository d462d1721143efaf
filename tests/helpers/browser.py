"""A real browser for tests: Debian's Chromium, driven by Playwright. A visit notes what the page does wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NEEDED = "LSTM_BENCH_NEEDS_BROWSER"
"""CI sets this variable: it installs a browser, so that a missing one is a failure."""


def missing(what: str) -> None:
    """Skip the test, or fail it where CI has installed a browser."""
    (pytest.fail if os.environ.get(NEEDED) else pytest.skip)(what)


def chromium() -> str:
    """Return the browser's path."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("no Chromium is installed")
    return str(path)


def axe() -> str:
    """Return the source of axe-core, which axe-playwright-python holds."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


class Visit:
    """An open page, with the complaints of its console and every address that it asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def abroad(self) -> list[str]:
        """List the addresses outside this file system."""
        return [url for url in self.asked if not url.startswith(("file:", "data:"))]


@contextmanager
def launched() -> Iterator[Any]:
    """Start a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser: Any, width: int = 1280, **settings: Any) -> Iterator[Visit]:
    """Open a page in a context of its own, which shares nothing with others."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
    try:
        yield Visit(context.new_page())
    finally:
        context.close()
