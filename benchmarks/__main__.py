"""python -m benchmarks: time, check, find regressions, test the gate, check a GPU, run on many nodes."""

from __future__ import annotations

import importlib
import os

from impls.core import command_line, system

system.check()
with command_line.starting():
    import click


COMMANDS = {
    "bench": "benchmarks.bench.command",
    "agree": "benchmarks.agree.command",
    "regression": "benchmarks.regression.command",
    "calibrate": "benchmarks.calibration.command",
    "gpu_check": "benchmarks.gpu_check",
    "fleet": "benchmarks.fleet.command",
}
"""The module of each command."""
OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
"""What git sets for its hooks: every repository would be taken for that of the hook."""


class Commands(click.Group):
    """Commands whose modules are imported when they are called: all together take a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click gives it
        """Return a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        with command_line.starting():
            module = importlib.import_module(COMMANDS[cmd_name])
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=command_line.show_version
)
def cli() -> None:
    """Check LSTM implementations against the reference, and time those that agree."""
    from impls.core import environments

    environments.cache()  # where there is none, that is said before anything is made
    for name in OF_A_HOOK:
        os.environ.pop(name, None)


if __name__ == "__main__":
    command_line.run(cli)
