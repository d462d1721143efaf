"""A real browser for tests: Debian's Chromium, driven by Playwright, which notes whatever the page does wrong."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
"""Set where a missing browser is a failure: in CI, which installs one."""


def missing(what: str) -> None:
    """Skip, or fail where nothing may be skipped."""
    (pytest.fail if os.environ.get(NEEDED) else pytest.skip)(what)


def chromium() -> str:
    """The browser's path."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("no Chromium is installed")
    return str(found)


@functools.cache
def installed(npm: str, folder: Path) -> bool:
    """Whether axe-core could be installed there; asked once: npm is slow to say that no registry answers."""
    command = [npm, "install", "--silent", "--no-save", "--fetch-retries", "1", "--prefix", str(folder), "axe-core@4"]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == 0


def axe(folder: Path) -> str:
    """axe-core's source, from the npm registry; kept in the folder."""
    path = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        npm = shutil.which("npm")
        if npm is None:
            missing("npm is not installed, and axe-core comes from its registry")
        if not installed(str(npm), folder):
            missing("axe-core could not be installed")
    return path.read_text(encoding="utf-8")


class Visit:
    """A page that was opened, the complaints of its console, and every address that it asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def abroad(self) -> list[str]:
        """The addresses beyond this file system."""
        return [url for url in self.asked if not url.startswith(("file:", "data:"))]


@contextmanager
def visits(width: int = 1280, **settings: Any) -> Iterator[Visit]:
    """An open page of a fresh browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield Visit(browser.new_page(viewport={"width": width, "height": 900}, **settings))
        finally:
            browser.close()
