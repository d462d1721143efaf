"""A real browser for tests: Debian's Chromium, driven by Playwright. What a page does wrong fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu"]
NEEDED = "LSTM_BENCH_NEEDS_BROWSER"
"""CI sets this variable: it installs a browser, so that a missing one is a failure."""


def chromium() -> str:
    """Return the browser's path; without one the test is skipped, or fails where CI has installed it."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        (pytest.fail if os.environ.get(NEEDED) else pytest.skip)("no Chromium is installed")
    return str(path)


@contextmanager
def launched() -> Iterator[Any]:
    """Start a browser."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)  # a busy machine is not a fault of the page
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visits(browser: Any) -> Iterator[Callable[..., Any]]:
    """Give a function that opens a file as a page, in a context of its own, which shares nothing with others.

    When it ends, no page may have complained, or asked for an address outside this file system.
    """
    contexts: list[Any] = []
    wrong: list[str] = []

    def dismiss(dialog: Any) -> None:
        wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def visit(path: Path, address: str = "", width: int = 1280, **settings: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **settings))
        contexts[-1].set_default_timeout(120_000)
        page = contexts[-1].new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or wrong.append(asked.url))
        page.on("dialog", dismiss)
        page.goto(path.as_uri() + address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


def violations(page: Any, *rules: str) -> list[str]:
    """Return the rules, of all or of these, that axe finds broken on a page."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]
