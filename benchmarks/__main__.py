"""python -m benchmarks: time, check, find regressions, test the gate, check a GPU, run on many nodes."""

from __future__ import annotations

from impls.core import command_line

with command_line.starting():
    import click

    from benchmarks.calibration.command import calibrate
    from benchmarks.correctness.command import agree
    from benchmarks.fleet.command import fleet
    from benchmarks.gpu_check.command import gpu_check
    from benchmarks.regression.command import regression
    from benchmarks.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Check LSTM implementations against the reference, and time those that agree."""


for command in (run, agree, regression, calibrate, gpu_check, fleet):
    cli.add_command(command)

if __name__ == "__main__":
    command_line.run(cli)
