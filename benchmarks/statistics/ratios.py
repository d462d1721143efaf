"""Ratios of times that were measured in the same blocks: first inside each block, then over the blocks of a replicate.

A row is an arm in a replicate. Rows and blocks are whole numbers, in any order and with any gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BlockLogs:
    """The log time of each row in each block. Three arrays of one length, sorted by row, then by block."""

    row: np.ndarray
    block: np.ndarray
    log: np.ndarray


def block_logs(seconds: np.ndarray, row: np.ndarray, block: np.ndarray, *, shortest: bool = False) -> BlockLogs:
    """Make one log time of the turns of a row in a block: the mirrored turns of a block count as one time.

    The arrays have shape (turns,). `shortest` takes the shortest turn instead of the mean of the logs.
    """
    order = np.lexsort((block, row))
    row, block, logs = row[order], block[order], np.log(seconds[order])
    starts = np.flatnonzero(np.r_[True, (np.diff(row) != 0) | (np.diff(block) != 0)][: len(row)])
    if not len(starts):
        return BlockLogs(row, block, logs)
    if shortest:
        return BlockLogs(row[starts], block[starts], np.minimum.reduceat(logs, starts))
    counts = np.diff(np.r_[starts, len(row)])
    return BlockLogs(row[starts], block[starts], np.add.reduceat(logs, starts) / counts)


def log_ratios(logs: BlockLogs, over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Return the log of the ratio of times of each pair of rows: the median over the blocks that both have.

    `over` and `under` have the rows in the numerators and the denominators, shape (pairs,), as has the result. It is
    NaN where the rows have no block in common.
    """
    first, last = (np.searchsorted(logs.row, over, side) for side in ("left", "right"))  # type: ignore[call-overload]
    counts = last - first
    pair = np.repeat(np.arange(len(over)), counts)
    entry = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
    _, numbers = np.unique(logs.block, return_inverse=True)
    width = int(numbers.max(initial=0)) + 1
    _, rows = np.unique(np.r_[logs.row, under], return_inverse=True)
    keys = rows[: len(logs.row)] * width + numbers
    wanted = rows[len(logs.row) :][pair] * width + numbers[entry]
    match = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
    common = keys[match] == wanted
    return group_medians(logs.log[entry[common]] - logs.log[match[common]], pair[common], len(over))


def group_medians(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Return the median of each group's values, shape (groups,); NaN for a group without values.

    `group` has the number of each value's group, from 0 to groups − 1.
    """
    ordered = values[np.lexsort((values, group))]
    counts = np.bincount(group, minlength=groups)
    starts = np.cumsum(counts) - counts
    medians = np.full(groups, np.nan)
    some = counts > 0
    low, high = (starts + (counts - 1) // 2)[some], (starts + counts // 2)[some]
    medians[some] = (ordered[low] + ordered[high]) / 2
    return medians
