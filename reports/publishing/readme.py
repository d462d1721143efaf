"""README's tables of which LSTM is fastest: of the first two machines."""

from __future__ import annotations

from benchmarks.cases import QUICK
from benchmarks.words import listed
from reports.preamble import torch_and_jax
from reports.publishing import cells
from reports.publishing.figures import Published, grid, side_by_side, table_text

NAMED = {
    "torch_lstm": "`torch.nn.LSTM`",
    "torch_cpp": "our C++ in PyTorch (`torch_cpp`)",
    "jax_ffi": "our C++ in JAX (`jax_ffi`)",
    "flax_nnx": "Flax (`flax_nnx`)",
    "keras_jax": "Keras on JAX (`keras_jax`)",
    "torch_cell": "a Python loop (`torch_cell`)",
}
"""The rows of the first table."""
BATCHES = {QUICK[0]: "batch 16", QUICK[1]: "batch 1"}


def fastest(published: Published) -> str:
    """Return a table of a training step at two batch sizes, one of more comparisons, and which runs they are of."""
    rows = published.figures.query("column == 'ratio' and mode == 'train_step'")
    rows = rows.query("problem in @BATCHES and implementation in @NAMED")
    machines = [each for each in published.machines if each.label in set(rows["machine"])][:2]
    names = {machine.label: machine.label.partition(", ")[0] for machine in machines}
    if len(set(names.values())) < len(names):
        names = {label: label for label in names}
    heads = [f"{name}, {batch}" for name in names.values() for batch in BATCHES.values()]
    rows = rows.assign(head=rows["machine"].map(names) + ", " + rows["problem"].map(BATCHES))
    table = grid(rows, "implementation", "head").reindex(index=list(NAMED), columns=heads)
    table = table.rename(index=NAMED).rename_axis("time of a training step ÷ `torch.nn.LSTM`'s")
    more = published.figures.assign(machine=published.figures["machine"].map(names))
    versions = dict.fromkeys(torch_and_jax(machine.head.run) for machine in machines)
    about = [f"{'; '.join(versions)}."]
    for machine in machines:
        name = names[machine.label]
        where = cells.with_cores(machine.label.removeprefix(f"{name}, "), machine.head.run)
        link = f"[{name}](reports/published/{machine.head.name}/table.md)"
        about.append(f"{link}: {where}, {cells.rounds_and_days(machine.head.run)}.")
    of_other_runs = rows.query("number > 0 and machine in @names")["implementation"].unique()
    if len(of_other_runs):
        about.append(f"{listed([f'`{name}`' for name in of_other_runs])}: other runs.")
    return "\n\n".join([table_text(table), side_by_side("more", more), " ".join(about)])
