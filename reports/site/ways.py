"""The rows of ways.html: which way of running an LSTM is right with which option, in which release."""

from typing import Any

import pandas as pd

from reports import programs, ways


def page() -> dict[str, Any]:
    """Return what the template shows, by the names in it."""
    rows = ways.table(ways.read())
    instructions = rows["isa"].map(lambda isa: f", {isa} at most" if isa else "")
    whose = rows["by"].map(lambda by: f" (measured by {by})" if by else "")
    every = programs.programs()
    shown_by = [programs.of_row(every, row) for row in rows.itertuples()]
    rows = rows.assign(
        shown_by=pd.Series(shown_by, rows.index, dtype=object),
        where=rows["machine"] + instructions + whose,
    )
    return {
        "rows": list(rows.itertuples(index=False)),
        "several_machines": len(rows["where"].unique()) > 1,
    }
