"""Processors in words, keys that separate them, and what slows a library."""

import msgspec
import pytest

from benchmarks import machine, processors
from benchmarks.processors import Machine

EPYC = Machine(
    cpu="AMD EPYC", vendor="AuthenticAMD", family=26, model=2, stepping=1, instructions=("AVX2", "FMA", "AVX-512"),
    caches={"L1d": 2**15, "L2": 2**20}, cores=4,
)  # fmt: skip


def changed(**fields):
    return msgspec.structs.replace(EPYC, **fields)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (EPYC, "AMD EPYC, family 26 (Zen 5), AVX-512"),
        (changed(family=25, model=1, instructions=("AVX2", "FMA")), "AMD EPYC, family 25 (Zen 3), AVX2"),
        (changed(family=26, model=200), "AMD EPYC, family 26 model 200, AVX-512"),
        (changed(family=99, model=None, instructions=()), "AMD EPYC, family 99"),
        (Machine(cpu="a cpu", vendor="AuthenticAMD"), "a cpu"),
        (Machine(), "unknown"),
    ],
)  # fmt: skip
def test_words(machine, words):
    assert processors.words(machine) == words


def test_whatever_differs_in_a_processor_makes_another_key():
    for name, value in (
        ("cpu", "AMD EPYC 2"), ("family", 25), ("model", 3), ("stepping", 0), ("stepping", None),
        ("instructions", ("AVX2", "AVX-512")), ("caches", {"L1d": 2**15, "L2": 2**21}), ("caches", {}),
    ):  # fmt: skip
        assert processors.key(changed(**{name: value})) != processors.key(EPYC)
    assert processors.key(changed(memory_bytes=3, system="Linux 7", cores=8)) == processors.key(EPYC)
    assert processors.key(Machine(cpu="AMD EPYC", cores=2)) == "AMD EPYC", "an older file has the key of what it says"


def test_variables_that_slow_a_library_are_recorded_and_named_and_others_are_not():
    for name, library in processors.SLOWS.items():
        assert name.startswith(machine.PREFIXES)
        (line,) = processors.slowed({name: "x", "OMP_NUM_THREADS": "2"})
        assert name in line
        assert library in line
    assert processors.slowed({"OPENBLAS_NUM_THREADS": "2", "XLA_FLAGS": "--xla_dump_to=x", "MKL_NUM": "1"}) == []
    (line,) = processors.slowed({"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"})
    assert "JAX" in line
