"""What a row of rows.html says where it is opened."""

import shlex

import msgspec

from reports.site.rows import command
from tests.helpers.answers import report_of
from tests.helpers.records import described, save, trained


def test_a_row_is_measured_again_by_what_its_run_was_given(tmp_path):
    names = ("base", "mine@torch==2.9.*")
    given = ("base", "/home/me@x/mine.py@torch==2.9.*")
    rows = [row for name in names for row in trained(name, 1e-3)]
    found = report_of(save(tmp_path, rows))
    run = msgspec.structs.replace(found.run.metadata.run, implementations=given, precision="tf32")
    row = next(each for each in found.summary.itertuples() if each.implementation == names[1])
    words = shlex.split(command(described(found.run, run=run), row))
    assert [words[k + 1] for k, word in enumerate(words) if word == "--impl"] == [given[1], given[0]]
    assert words[words.index("--precision") + 1] == "tf32"
    assert "--precision" not in command(found.run, row)
