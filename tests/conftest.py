"""Warnings are errors here, third parties' own excepted by name; what many tests need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# both dtypes are tested in one process; workers get their own setting
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["JAX_NUM_CPU_DEVICES"] = str(len(os.sched_getaffinity(0)))  # of jax_scan_vjp_sharded

ROOT = Path(__file__).resolve().parent.parent

FILTERS = [
    "error",
    # third parties' own, on versions that we support
    "ignore::DeprecationWarning:flax.*",
    "ignore::DeprecationWarning:onnx.*",
    "ignore:.*torch.jit.*:DeprecationWarning",
    "ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning",  # torch.compile's own look at it
]


def pytest_configure(config: pytest.Config) -> None:
    for line in FILTERS:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m …` from the checkout, with a clean environment of its own; the result, not judged."""

    def run(*arguments: object, timeout: float = 280, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *map(str, arguments)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, env={**kept, **env}, check=False
        )

    return run
