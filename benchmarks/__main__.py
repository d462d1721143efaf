"""python -m benchmarks: time, check, compute, find regressions, test the gate, check a GPU, run on many nodes."""

import os
import pkgutil

from impls.core import command_line, system

system.check()
with command_line.starting():
    import click


COMMANDS = {
    "bench": "benchmarks.bench.command:bench",
    "agree": "benchmarks.agree.command:agree",
    "evaluate": "benchmarks.evaluate:evaluate",
    "regression": "benchmarks.regression.command:regression",
    "calibrate": "benchmarks.calibration.command:calibrate",
    "gpu_check": "benchmarks.gpu_check:gpu_check",
    "fleet": "benchmarks.fleet.command:fleet",
    "list": "benchmarks.listing:list_command",
    "environments": "benchmarks.listing:environments_command",
}
"""The module of each command, and its name there."""
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
            command: click.Command = pkgutil.resolve_name(COMMANDS[cmd_name])
        return command


@click.group(cls=Commands, context_settings=command_line.HELP)
@command_line.version_option
def cli() -> None:
    """Check LSTM implementations against the reference, and time those that agree."""
    for name in OF_A_HOOK:
        os.environ.pop(name, None)


if __name__ == "__main__":
    command_line.run(cli)
