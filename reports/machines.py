"""The machines of some runs: which runs of each stand on a page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks import processors
from reports.charts.drawing import Drawing
from reports.code_age import of_today
from reports.frames import ARM, Run, machine_label
from reports.report import Answer, Report

DESIGN = re.compile(r"\(Zen \w+\)")
"""What a label says of a processor's design."""


@dataclass(frozen=True)
class Machine:
    """A machine, and the reports of those of its runs that stand on a page: the first one heads it."""

    label: str
    runs: tuple[Report, ...]

    @property
    def head(self) -> Report:
        """The run that heads the machine's part of the page."""
        return self.runs[0]

    @property
    def shown(self) -> list[tuple[Drawing | Answer, Report]]:
        """Each chart and answer, with the run that it is from: the one with most of it, of today's code if any is."""
        best: dict[str, tuple[bool, int, Drawing | Answer, Report]] = {}
        for report in self.runs:
            today = of_today(report.run) > 0
            for part in report.shown:
                size = len(part.labels if isinstance(part, Drawing) else part.frame)
                if part.title not in best or (today, size) > best[part.title][:2]:
                    best[part.title] = today, size, part, report
        return [(part, report) for _, _, part, report in best.values()]


def by_machine(reports: Sequence[Report]) -> list[Machine]:
    """Return the machines of some runs, each with the runs that stand on a page.

    A run stands if it has an arm at a benchmark that no run before it has on that machine.
    """
    arms = []
    for number, report in enumerate(reports):
        machine = machine_label(report.run.metadata)
        arms.append(report.summary[ARM].assign(machine=machine, number=number))
    new = pd.concat(arms).drop_duplicates(["machine", *ARM])
    machines: dict[str, Machine] = {}
    for _, rows in new.groupby("machine", sort=False):
        runs = tuple(reports[number] for number in rows["number"].unique())
        label = processor_and_gpu(runs[0].run)
        if label in machines:
            label = f"{label} ({runs[0].name})"
        machines[label] = Machine(label, runs)
    return list(machines.values())


def brands(labels: Sequence[str]) -> dict[str, str]:
    """Return a short name for each machine: its brand, such as `AMD EPYC`, and where two have the same, its design too.

    Where those do not tell them apart either, it is the label.
    """
    brand = {label: label.partition(", ")[0] for label in labels}
    with_design = {label: " ".join([brand[label], *DESIGN.findall(label)]) for label in labels}
    for names in (brand, with_design):
        if len({*names.values()}) == len(names):
            return names
    return {label: label for label in labels}


def short(processor: str) -> str:
    """Return a processor's words without those that tell nothing."""
    return processor.replace("(R)", "").replace(" Processor", "")


def processor_and_gpu(run: Run) -> str:
    """Return a run's processor, and the GPU if there is one."""
    machine = run.metadata.machine
    processor = short(processors.words(machine))
    return f"{processor}, {machine.gpu_with_driver}" if machine.gpu else processor
