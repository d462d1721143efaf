"""README's tables of which LSTM is fastest: of the first two machines."""

from benchmarks.cases import QUICK
from reports import peak
from reports.machines import brands
from reports.preamble import torch_and_jax
from reports.publishing import cells
from reports.publishing.figures import Published, by_machine, side_by_side, specified


def fastest(published: Published) -> str:
    """Return the tables, and which runs they are of."""
    names = [place["implementation"] for place in specified()["fastest"][0]["rows"].values()]
    rows = published.figures.query("column == 'ratio' and mode == 'train_step'")
    rows = rows[rows["problem"].isin(QUICK) & rows["implementation"].isin(names)]
    links = []
    of_other_runs: dict[str, list[str]] = {}
    machines = list(by_machine(published, rows))[:2]
    names_of = brands([machine.label for machine, _ in machines])
    for machine, mine in machines:
        head = machine.head
        _, _, rest = machine.label.partition(", ")
        where = cells.with_cores(rest, head.run)
        when = cells.rounds_and_days(head.run)
        link = f"[{names_of[machine.label]}](reports/published/{head.name}/table.md)"
        links.append(f"{link}: {torch_and_jax(head.run)}; {where}, {when}.")
        others = mine[mine["report"] != head].drop_duplicates("implementation")
        for name, report in zip(others["implementation"], others["report"], strict=True):
            speed = peak.speed(report.run.records)
            of_other_runs.setdefault(name, []).append(f"{speed / 1e9:.0f}")
    for name, speeds in sorted(of_other_runs.items()):
        links.append(f"`{name}`: peak {'/'.join(speeds)}.")
    figures = published.figures[published.figures["machine"].isin(list(names_of))]
    tables = side_by_side("fastest", figures.assign(machine=figures["machine"].map(names_of)))
    return f"{tables}\n\n{' '.join(links)}"
