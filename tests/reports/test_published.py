"""The published tables are what the published records say."""

import pytest

from reports import frames, tables
from reports.run_folder import complete
from tests.helpers.records import PUBLISHED

pytestmark = pytest.mark.texts


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_the_published_table_is_what_the_records_say(folder):
    assert (folder / "table.md").read_text() == tables.markdown(complete(frames.read_run(folder)))
