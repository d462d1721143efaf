"""What takes long to make, once for all tests of reports: the site of the published runs."""

import pytest

from tests.helpers.processes import python


@pytest.fixture(scope="package")
def site(tmp_path_factory):
    """The site of the published runs."""
    out = tmp_path_factory.mktemp("published") / "site"
    done = python("-m", "reports", "site", "--out", out, timeout=900)
    assert done.returncode == 0, done.stderr
    return out
