"""Counts over replayed gates in several processes."""

import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path

import click
import pytest

from benchmarks.calibration.rates import count_all
from tests.helpers.pools import simulated

pytestmark = pytest.mark.process


def process_and_size(pool, more):
    return os.getpid(), len(pool.replicates) + more


def failing(_):
    return 1 / 0


def killed(_):
    os.kill(os.getpid(), signal.SIGKILL)


def endless(_, begun):
    Path(begun).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def test_each_count_gets_the_pool_in_another_process_and_is_told_of_once():
    told = []
    counts = {("row", number): partial(process_and_size, more=number) for number in range(3)}
    found = count_all(simulated(8, 0.01), counts, lambda *how_far: told.append(how_far))["row"]
    assert [size for _, size in found.values()] == [8, 9, 10]
    assert os.getpid() not in {process for process, _ in found.values()}
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(("count", "error"), [(failing, ZeroDivisionError), (killed, click.ClickException)])
def test_a_count_that_fails_or_is_killed_ends_them_all_and_says_so(count, error, tmp_path):
    begun = tmp_path / "begun"
    with pytest.raises(error):
        count_all(simulated(8, 0.01), {("row", 1): count, ("row", 2): partial(endless, begun=begun)}, lambda *_: None)
    assert not multiprocessing.active_children()
