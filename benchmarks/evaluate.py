"""python -m benchmarks evaluate: compute a case with an implementation."""

import math
import os
import shutil
from functools import partial
from pathlib import Path

import click
import psutil

from benchmarks.hardware import choose_cores
from benchmarks.options import Options
from benchmarks.runner.arm import Arm
from benchmarks.runner.sides import ArmFailed, version_of
from benchmarks.scratch import scratch
from benchmarks.worker.evaluation import Evaluate
from impls.core import command_line, registry
from impls.core.case_files import read_case
from impls.core.contract import DEVICES
from impls.core.files import check_place, write_whole
from impls.core.problem import DTYPES
from impls.core.registry import Implementation


@click.command(
    epilog=command_line.examples(
        "benchmarks evaluate path/to/mine.py --case case.npz --out out.npz --dtype float64"
    )
)
@click.argument("name", metavar="IMPLEMENTATION")
@click.option("--case", required=True, type=click.Path(path_type=Path), help="case.npz to compute.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to write the results (.npz), as float64.",
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True)
@click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True)
def evaluate(name: str, case: Path, out: Path, dtype: str, device: str) -> int:
    """Compute a case with IMPLEMENTATION, a name or a .py file.

    The case holds x (T, B, I), the weights under their names in torch.nn.LSTM's state_dict, optional h0 and c0
    (L·D, B, H), and optional cotangents d_output (T, B, D·H), d_h_n, d_c_n; docs/reference.md has an example.

    OUT gets output, h_n, c_n and, where the case has cotangents, grad_NAME for each of its arrays.
    """
    with command_line.usage_errors():
        # before an environment is built and a worker is started, which take a while
        implementation = checked(name, case, out, dtype, device)
    command_line.heed_signals()
    options = Options(  # it may take all the memory, and any time
        device=device, call_seconds=math.inf, memory_bytes=psutil.virtual_memory().total
    )
    version = version_of(implementation)
    with scratch() as folder:
        results = folder / "results.npz"
        arm = Arm(version, options, choose_cores(device=device), dtype, folder / "worker")
        try:
            if version.failure:
                raise version.failure
            arm.ensure_running()
            arm.ask(Evaluate(str(case.absolute()), dtype, str(results)))
        except ArmFailed as failure:
            reason = failure.reason if failure.status == "error" else str(failure)
            raise click.UsageError(f"{implementation.name}: {reason}") from None
        finally:
            arm.kill()
            if arm.log.exists():  # what the user's file has printed
                for line in arm.log.read_text(errors="replace").splitlines():
                    command_line.say(line, err=True)
        write_whole(out, partial(shutil.copyfile, results))
    return 0


def checked(name: str, case: Path, out: Path, dtype: str, device: str) -> Implementation:
    """Return the implementation of a name or path.

    Raises:
        ValueError: where there is none, it cannot do the case, or the results can't be written. One line.
    """
    implementation = registry.resolve(name)
    check_place(out)
    if os.path.realpath(out) == os.path.realpath(case):
        raise ValueError(f"{out} is the case itself; give another --out")
    reason = implementation.lacks(device, read_case(case, dtype).problem, "sequence")
    if implementation.is_peak:
        reason = "it computes no LSTM, only multiply-adds"
    if reason:
        raise ValueError(f"{name}: {reason}")
    return implementation
