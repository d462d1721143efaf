"""What takes long to make, once for all tests of reports: the site of the published runs, and a browser."""

import functools

import pytest

from tests.helpers import browser
from tests.helpers.processes import python


@pytest.fixture(scope="package")
def site(tmp_path_factory):
    """The site of the published runs."""
    out = tmp_path_factory.mktemp("published") / "site"
    done = python("-m", "reports", "site", "--out", out, timeout=900)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="package")
def visits():
    """A function that opens a page: all share one browser, each has a context of its own."""
    with browser.launched() as launched:
        yield functools.partial(browser.visit, launched)
