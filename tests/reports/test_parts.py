"""The parts of a report are the files of a folder."""

from reports import parts
from tests.helpers.answers import report_of
from tests.helpers.records import SMALL, save

NEW = """
import pandas as pd
from benchmarks.tables import Column
from reports.report import Answer
def make(report):
    columns = [Column("n", "number", lambda row: str(row.n))]
    yield Answer("Is it found?", [f"In a run of {report.baseline}."], columns, pd.DataFrame({"n": [1, 2]}))
"""


def test_a_new_file_is_a_part(tmp_path, monkeypatch):
    (tmp_path / "added_by_a_test.py").write_text(NEW)
    monkeypatch.setattr(parts, "__path__", [*parts.__path__, str(tmp_path)])
    *_, answer = parts.made(report_of(save(tmp_path / "run", SMALL)))
    assert answer.title == "Is it found?"
    assert [[column.cell(row) for column in answer.columns] for row in answer.rows] == [["1"], ["2"]]
