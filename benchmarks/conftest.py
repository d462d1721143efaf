"""The device of `pytest benchmarks`, and settings that must be made before a framework is imported."""

import os

import pytest

from impls.core.contract import DEVICES
from impls.core.precision import framework_variables


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --device, as the other commands have it."""
    parser.addoption(
        "--device", choices=DEVICES, default="cpu", help="where bench_lstm computes: cpu or cuda"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Set precision and device, except what the user has set. The files of benchmarks/ are not imported yet."""
    for name, value in framework_variables(
        config.getoption("--device", default="cpu"), "float32"
    ).items():
        os.environ.setdefault(name, value)
    # for jax_scan_vjp_sharded
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(len(os.sched_getaffinity(0))))
