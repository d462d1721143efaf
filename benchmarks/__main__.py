"""python -m benchmarks run | agree | regression | calibrate: time, check, find regressions, test the gate."""

from __future__ import annotations

from impls.core import command_line

with command_line.starting():
    import click

    from benchmarks.calibration.command import calibrate
    from benchmarks.correctness.command import agree
    from benchmarks.regression.command import regression
    from benchmarks.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Check LSTM implementations against the reference, and time those that agree."""


for command in (run, agree, regression, calibrate):
    cli.add_command(command)

if __name__ == "__main__":
    command_line.run(cli)
