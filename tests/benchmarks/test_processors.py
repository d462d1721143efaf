"""Processors in words, keys that separate them, and what slows a library."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import processors
from benchmarks.metadata import Machine

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
        (changed(family=25, model=17), "AMD EPYC, family 25 (Zen 4), AVX-512"),
        (changed(family=25, model=1, instructions=("AVX2", "FMA")), "AMD EPYC, family 25 (Zen 3), AVX2"),
        (changed(family=25, model=0x61), "AMD EPYC, family 25 (Zen 4), AVX-512"),
        (changed(family=23, model=0x31, instructions=("AVX2",)), "AMD EPYC, family 23 (Zen 2), AVX2"),
        (changed(family=26, model=200), "AMD EPYC, family 26 model 200, AVX-512"),
        (changed(family=99), "AMD EPYC, family 99 model 2, AVX-512"),
        (changed(family=99, model=None, instructions=()), "AMD EPYC, family 99"),
        (Machine(cpu="Xeon", vendor="GenuineIntel", family=6, model=143, instructions=("AVX-512", "AMX")),
         "Xeon, family 6 (Sapphire Rapids), AMX"),
        (Machine(cpu="aarch64", vendor="0x41", family=8, model=0xD40, instructions=("NEON", "SVE")),
         "aarch64, family 8 (Neoverse V1), SVE"),
        (Machine(cpu="a cpu", vendor="AuthenticAMD"), "a cpu"),
        (Machine(), "unknown"),
    ],
)  # fmt: skip
def test_words(machine, words):
    assert processors.words(machine) == words


@pytest.mark.parametrize(
    "other",
    [
        {"cpu": "AMD EPYC 2"}, {"family": 25}, {"model": 3}, {"stepping": 0}, {"instructions": ("AVX2",)},
        {"caches": {"L1d": 2**15, "L2": 2**21}}, {"caches": {}}, {"stepping": None},
    ],
)  # fmt: skip
def test_whatever_differs_makes_another_key(other):
    assert processors.key(changed(**other)) != processors.key(EPYC)


@pytest.mark.parametrize("other", [{"memory_bytes": 3}, {"system": "Linux 7"}, {"cores": 8}, {"caches": EPYC.caches}])
def test_what_is_no_part_of_the_processor_makes_none(other):
    assert processors.key(changed(**other)) == processors.key(EPYC)


def test_an_older_file_has_the_key_of_what_it_says():
    assert processors.key(Machine(cpu="AMD EPYC", cores=2)) == "AMD EPYC"


def test_no_model_is_two_processors():
    for ranges in processors.RANGES.values():
        ordered = sorted(ranges)
        assert all(before[1] < after[0] for before, after in itertools.pairwise(ordered))


@given(
    st.none() | st.sampled_from(["AuthenticAMD", "GenuineIntel", "0x41", "x"]),
    st.none() | st.integers(0, 30),
    st.none() | st.integers(0, 255),
)
def test_any_processor_has_words_and_a_key(vendor, family, model):
    machine = Machine(vendor=vendor, family=family, model=model)
    assert processors.key(machine).startswith(processors.words(machine))


@pytest.mark.parametrize("name", processors.SLOWS)
def test_a_variable_that_slows_a_library_is_named(name):
    assert processors.slowed({name: "x", "OMP_NUM_THREADS": "2"}) == [
        f"{name} is set: it can make {processors.SLOWS[name]} slower"
    ]


def test_other_variables_are_not():
    variables = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "XLA_FLAGS": "--xla_dump_to=x", "MKL_NUM": "1"}
    assert processors.slowed(variables) == []
    assert processors.slowed({"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}) == [
        "XLA_FLAGS sets xla_cpu_max_isa: it can make JAX slower"
    ]
