"""The rows of ways.html: which way of running an LSTM is right with which option, in which release."""

from typing import Any

from reports import programs, ways


def page() -> dict[str, Any]:
    """Return what the template shows, by the names in it."""
    rows = ways.table(ways.read())
    bad = rows["outcome"].isin(ways.BAD)
    instructions = rows["isa"].map(lambda isa: f", {isa} at most" if isa else "")
    whose = rows["by"].map(lambda by: f" (measured by {by})" if by else "")
    named = [ways.named(row) for row in rows.itertuples()]
    rows = rows.assign(is_bad=bad, named=named, where=rows["machine"] + instructions + whose)
    return {
        "rows": list(rows.itertuples(index=False)),
        "several_machines": rows["where"].nunique() > 1,
        "programs": programs.by_cell(programs.programs()),
    }
