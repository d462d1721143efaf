"""Ratios of times that were measured in the same blocks: first inside each block, then over the blocks of a replicate.

A row is an arm in a replicate. Rows and blocks are whole numbers, in any order and with any gaps.
"""

import warnings
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BlockLogs:
    """Rows in order, shape (rows,), and the log time of each in each block, shape (rows, blocks); NaN where none is."""

    row: np.ndarray
    log: np.ndarray


def block_logs(seconds: np.ndarray, row: np.ndarray, block: np.ndarray) -> BlockLogs:
    """Return the mean of the log times of each row in each block: its mirrored turns count as one time.

    The arrays have shape (turns,).
    """
    rows, row = np.unique(row, return_inverse=True)
    blocks, block = np.unique(block, return_inverse=True)
    sums = np.zeros((len(rows), len(blocks)))
    counts = np.zeros(sums.shape)
    np.add.at(sums, (row, block), np.log(seconds))
    np.add.at(counts, (row, block), 1)
    with np.errstate(invalid="ignore"):
        return BlockLogs(rows, sums / counts)


def log_ratios(logs: BlockLogs, over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Return the log of the ratio of times of each pair of rows: the median over the blocks that both have.

    `over` and `under` have the rows in the numerators and the denominators, shape (pairs,), as has the result. It is
    NaN where the rows have no block in common.
    """
    # the last row is that of rows which have no turn
    table = np.vstack([logs.log, np.full((1, logs.log.shape[1]), np.nan)])
    place = {row: number for number, row in enumerate(logs.row.tolist())}
    first = table[[place.get(row, -1) for row in over.tolist()]]
    second = table[[place.get(row, -1) for row in under.tolist()]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of pairs without a block in common
        return np.asarray(np.nanmedian(first - second, axis=1))
