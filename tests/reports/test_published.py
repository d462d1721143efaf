"""The published runs and the data of older versions keep their numbers, and the published tables are those numbers.

tests/data/summary-NAME.csv is the summary of NAME by the code before verdicts had their present words, with those words
replaced: `tie` and `unknown` by `unclear`, and the place `fastest` by `yes`, `tied` by `unclear`.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from reports import frames, tables
from reports.run_folder import complete
from tests.helpers.records import DATA, PUBLISHED

pytestmark = pytest.mark.texts
RUNS = {path.name: path for path in PUBLISHED} | {path.stem: path for path in sorted(DATA.glob("records-v*.parquet"))}
RTOL = 1e-10
"""Versions of SciPy differ by 1e-11 in the quantiles of t; with the same versions the numbers are the same to 1e-12."""


@cache
def report(name):
    return complete(frames.read_run(RUNS[name]))


@pytest.mark.parametrize("path", sorted(DATA.glob("summary-*.csv")), ids=lambda path: path.stem)
def test_the_summary_is_the_one_before(path):
    before = pd.read_csv(path, keep_default_na=False, na_values=[""])
    summary = report(path.stem.removeprefix("summary-")).summary
    assert len(before) == len(summary)
    for name in before.columns:
        if pd.api.types.is_numeric_dtype(before[name]):
            np.testing.assert_allclose(summary[name].to_numpy(float), before[name], rtol=RTOL, err_msg=name)
        else:
            assert summary[name].fillna("").astype(str).tolist() == before[name].fillna("").tolist(), name


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_the_published_table_is_what_the_records_say(folder):
    assert (folder / "table.md").read_text() == tables.markdown(report(folder.name))
