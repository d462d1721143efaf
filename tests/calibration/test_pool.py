"""What a pool keeps, and what it is of."""

import msgspec
import numpy as np
import pytest

from benchmarks.calibration import pool
from benchmarks.calibration.pool import BASE, COPY, Identity, Pool
from benchmarks.processors import Machine
from benchmarks.record import Record
from tests.helpers.records import record

HERE = Machine(cpu="AMD EPYC", family=26, model=2)
MINE = Identity(HERE, ("mine",), "t4-b2-i8-h8", digest="01234567")


def rows():
    """A replicate of a benchmark: in each block two turns, and each takes a second more than the block's number."""
    turns = record("i", 0, 1.5)["turns"]
    turns = [{**turn, "seconds": 1.0 + turn["block"], "samples": [1.0, 2.0]} for turn in reversed(turns)]
    sides = [record("i", 0, 1.5, side=side, turns=turns, warm_first_call_seconds=0.1) for side in (BASE, COPY)]
    sides.append(record("i", 0, None, side="+2%", turns=None, status="crashed"))
    return [msgspec.convert(row, Record) for row in sides]


def test_a_replicate_is_saved_without_its_samples_and_read_back(tmp_path):
    pool.claim(tmp_path, MINE)
    pool.save(tmp_path, rows())
    found = Pool.load(tmp_path)
    assert found.identity == MINE
    assert found.holding([BASE, COPY]) == [0]
    assert found.holding([BASE, "+2%"]) == []
    (replicate,) = found.replicates
    np.testing.assert_array_equal(replicate.sides["i p/w/m"][COPY].logs, np.log([1, 2]))
    assert replicate.sides["i p/w/m"][COPY].seconds.tolist() == [1, 1, 2, 2]
    assert replicate.sides["i p/w/m"][COPY].values == {"time": 1.5, "start": 0.1, "memory": 2**20 + 2**20}
    assert found.logs([0], COPY, "i p/w/m") == [0]
    assert replicate.round == "r"


def claimed(folder, identity=Identity(HERE)):  # noqa: B008 (frozen)
    """Claim a pool, and leave something in it."""
    pool.claim(folder, identity)
    (folder / "replicate-20261124T194126.parquet").touch()


@pytest.mark.parametrize("other", [{"family": 25}, {"model": 3}, {"cpu": "AMD EPYC 2"}])
def test_a_pool_takes_replicates_of_one_machine_only(tmp_path, other):
    claimed(tmp_path)
    pool.claim(tmp_path, Identity(msgspec.structs.replace(HERE, memory_bytes=1)))
    with pytest.raises(ValueError, match=r"has replicates of another machine \(AMD EPYC, family 26"):
        pool.claim(tmp_path, Identity(msgspec.structs.replace(HERE, **other)))


def test_a_pool_is_of_the_same_gates_once_something_is_measured(tmp_path):
    folder = tmp_path / "mine" / "pool"
    pool.claim(folder, Identity(HERE))
    claimed(folder, MINE)  # nothing had been measured
    pool.claim(folder, MINE)
    with pytest.raises(ValueError, match=r"has gates of mine at t4-.*, code 01234567; these are of the default LSTMs"):
        pool.claim(folder, Identity(HERE))
    with pytest.raises(ValueError, match="code 76543210"):
        pool.claim(folder, msgspec.structs.replace(MINE, digest="76543210"))
