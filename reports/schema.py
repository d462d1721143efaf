"""Checks of the records that are read: first the types of the columns, then the values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaError

from benchmarks.record import SCHEMA, SCHEMA_VERSION, STATUSES, TURN
from impls.core.command_line import describe
from impls.core.text import one_line
from reports.copies import copies_in

BENCHMARK = ["problem", "workload", "mode", "device"]
"""The columns that name a benchmark. Only arms of the same benchmark are compared."""
ARM = [*BENCHMARK, "implementation"]
KEY = ["run_id", *ARM, "replicate"]

NEEDED = ["schema_version", *KEY, "track", "versions", "dtype", "status"]
"""The columns that a file must have, without nulls."""
WORDS = [field.name for field in SCHEMA if field.type == pa.string()]
MOST_WORDS = 10_000
"""A column of names has at most this many different ones; a column with more holds something else."""


class Unreadable(ValueError):
    """A run that can't be read. The message says in one line what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, 1000))


def _named(values: pd.Series) -> pd.Series:
    return values.cat.codes < MOST_WORDS


NAMES = [pandera.Check(_named, error=f"one of at most {MOST_WORDS} names")]
STATUS = [pandera.Check.isin(STATUSES, error=f"one of {', '.join(STATUSES)}")]
REASON = [pandera.Check(lambda reasons: reasons != "", error="given where the status is not ok")]


def _range(low: float, high: float, wanted: str, *, whole: bool = False) -> list[pandera.Check]:
    """Return the check that numbers are in a range; a null is none and passes."""
    return [pandera.Check(lambda n: (n >= low) & (n <= high) & (not whole or n % 1 == 0), error=wanted)]


LONGEST = 1e9
"""No time of a run is longer, in seconds: it is 30 years."""
COUNT = _range(0, 2.0**62, "a whole number, at least 0", whole=True)
SIZE = _range(1, 2.0**31, "a whole number, at least 1", whole=True)
AMOUNT = _range(0, LONGEST, f"at least 0 and at most {LONGEST:g}")
TIME = _range(1e-12, LONGEST, f"at least 1e-12 and at most {LONGEST:g} s")
NUMBERS = {
    "schema_version": _range(1, SCHEMA_VERSION, f"a whole number from 1 to {SCHEMA_VERSION}", whole=True),
    **dict.fromkeys(
        ("seq_len", "batch", "input_size", "hidden_size", "num_layers", "threads", "calls_per_sample"), SIZE
    ),
    "input_seed": _range(-np.inf, np.inf, "a whole number", whole=True),
    "started": _range(0, 1e11, "seconds since 1970"),
    "seconds": TIME,
    "error": _range(0, np.inf, "at least 0"),
}
"""The range of a column of numbers. The others: a COUNT where they are whole, otherwise an AMOUNT."""


def _columns(fields: Iterable[pa.Field], needed: Sequence[str]) -> dict[str, pandera.Column]:
    """Return the checks of columns. A column that is not needed may be missing, and have nulls."""
    found = {}
    for field in fields:
        checks = None
        if field.name in NUMBERS or pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            checks = NUMBERS.get(field.name, COUNT if pa.types.is_integer(field.type) else AMOUNT)
        elif field.name in WORDS:
            checks = {"status": STATUS, "reason": None, "error_tensor": None}.get(field.name, NAMES)
        there = field.name in needed
        found[field.name] = pandera.Column(None, checks, nullable=not there, required=there)
    return found


RECORDS = pandera.DataFrameSchema(_columns(SCHEMA, NEEDED), unique=KEY)
FINITE = pandera.Column(None, _range(0, 1e300, "finite"), nullable=True)
OK = pandera.DataFrameSchema({"seconds": pandera.Column(None, TIME), "error": FINITE})
NOT_OK = pandera.DataFrameSchema({"reason": pandera.Column(None, REASON)})
TURNS = pandera.DataFrameSchema(_columns(TURN, ("block", "seconds")))


def turn_fields(columns: pa.Schema) -> list[str]:
    """Return the names of the fields of a file's turns; none where it has no column of that kind."""
    kind = columns.field("turns").type if "turns" in columns.names else pa.null()
    return (
        [field.name for field in kind.value_type]
        if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)
        else []
    )


def check_types(path: Path, columns: pa.Schema) -> None:
    """Check the columns of a file before a row is read: pandas has no type for whole numbers with nulls.

    Raises:
        Unreadable: a needed column is missing, or a column has another type than in benchmarks.record.
    """
    for names, what in ((columns.names, ""), (turn_fields(columns), "turns.")):
        if twice := [name for name in names if names.count(name) > 1]:
            raise Unreadable(f"{path} has column {what}{twice[0]} twice")
    missing = {*NEEDED, "reason", "seconds", "turns"} - set(columns.names)
    if missing:
        raise Unreadable(f"{path} holds no benchmark records: it has no column {min(missing)}")
    for field in SCHEMA:
        if field.name in columns.names and field.name != "turns":
            _check_type(path, field.name, columns.field(field.name).type, field.type)
    turns = columns.field("turns").type
    if not (pa.types.is_list(turns) and pa.types.is_struct(turns.value_type)):
        raise Unreadable(f"{path}: column turns is {turns}; it must be a list of structs")
    for field in turns.value_type:
        if field.name != "samples" and TURN.get_field_index(field.name) >= 0:
            _check_type(path, f"turns.{field.name}", field.type, TURN.field(field.name).type)
    for name in ("block", "seconds"):
        if turns.value_type.get_field_index(name) < 0:
            raise Unreadable(f"{path} holds no benchmark records: it has no column turns.{name}")


def _check_type(path: Path, name: str, actual: pa.DataType, wanted: pa.DataType) -> None:
    if _kind(actual) not in (_kind(wanted), "nothing"):
        raise Unreadable(f"{path}: column {name} is {actual}; it must be {wanted}")


def _kind(arrow: pa.DataType) -> str:
    """Return the kind of a type: records saved from pandas have other widths, and floats in place of counts."""
    arrow = arrow.value_type if pa.types.is_dictionary(arrow) else arrow
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
        return "words"
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow):
        return "numbers"
    return "nothing" if pa.types.is_null(arrow) else str(arrow)


def check_numbers(path: Path, table: pa.Table, prefix: str = "") -> None:
    """Check that numbers are numbers: pandas does not tell a NaN from a null.

    Raises:
        Unreadable: names the column and the row of a NaN. Only a failed arm may have one, as its error.
    """
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_floating(column.type):
            nan = pc.is_nan(column)
            if name == "error":
                nan = pc.and_(nan, pc.equal(table["status"].cast(pa.string()), "ok"))
            if (row := pc.index(nan, value=True).as_py()) >= 0:
                raise Unreadable(f"{path}: column {prefix}{name} is nan in row {row}; it must be a number or null")


def check_values(path: Path, records: pd.DataFrame, turns: pd.DataFrame) -> None:
    """Check the values of a file.

    Raises:
        Unreadable: names the column, the row's KEY and the value, for the first value that can't be true.
    """
    _check_ranges(path, records, turns)
    _check_run(path, records, turns)


def check_together(runs: Sequence[tuple[Path, pd.DataFrame, pd.DataFrame]]) -> list[Unreadable | None]:
    """Do what check_values does for many files at once, which takes much less time. Return what is wrong with each.

    Args:
        runs: of each file its path, records and turns.
    """
    check = _check_run
    try:
        if runs:
            _check_ranges(runs[0][0], *_joined(runs))
    except Exception:  # one by one, to find out whose it is
        check = check_values
    return [_wrong(check, *run) for run in runs]


def _wrong(check: Callable[[Path, pd.DataFrame, pd.DataFrame], None], *run: Any) -> Unreadable | None:
    try:
        check(*run)
    except Unreadable as error:
        return error
    except MemoryError as error:
        return Unreadable(describe(error))
    return None


def _joined(runs: Sequence[tuple[Path, pd.DataFrame, pd.DataFrame]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the records and the turns of many files, with labels of their own. Words stay categories."""
    kept = [records.drop(columns=WORDS) for _, records, _ in runs]
    joined = pd.concat(kept, ignore_index=True)
    for name in WORDS:
        words = pd.concat([records[name].astype(object) for _, records, _ in runs], ignore_index=True)
        joined[name] = words.astype("category")
    starts = np.cumsum([0, *map(len, kept)])
    turns = [of.assign(record=of["record"] + start) for (_, _, of), start in zip(runs, starts, strict=False)]
    return joined, pd.concat(turns, ignore_index=True)


def _check_ranges(path: Path, records: pd.DataFrame, turns: pd.DataFrame) -> None:
    """Check each column, and that no record is there twice."""
    ok = records["status"] == "ok"
    _check(path, RECORDS, records, records)
    _check(path, OK, records.loc[ok, ["seconds", "error"]], records)
    _check(path, NOT_OK, records.loc[~ok, ["reason"]], records)
    _check(path, TURNS, turns, records, "turns.")


def _check_run(path: Path, records: pd.DataFrame, turns: pd.DataFrame) -> None:
    """Check that the records are those of one run, and that each was measured for itself."""
    if len(runs := list(records["run_id"].unique())) > 1:
        raise Unreadable(f"{path} holds rows of {len(runs)} runs ({runs[0]}, {runs[1]}); it must hold one run")
    if (copies := copies_in(turns)) is not None:
        one, other = ("/".join(map(str, records.loc[label, KEY])) for label in copies)
        raise Unreadable(f"{path}: {one} and {other} hold the same turns; each must be measured for itself")


def _check(
    path: Path, schema: pandera.DataFrameSchema, rows: pd.DataFrame, records: pd.DataFrame, prefix: str = ""
) -> None:
    """Check rows of `records`, which have their labels from there, or turns, which have a prefix and a `record`."""
    try:
        schema.validate(rows, inplace=True)
    except SchemaError as error:
        label = error.failure_cases["index"].iloc[0]
        record = records.loc[rows.loc[label, "record"] if prefix else label]
        key = "/".join(map(str, record[KEY]))
        if error.check == "multiple_fields_uniqueness":
            raise Unreadable(f"{path}: {key} occurs more than once ({', '.join(KEY)})") from None
        name = error.schema.name
        value = rows.loc[[label], name].to_list()[0]
        wanted = error.check.error if isinstance(error.check, pandera.Check) else "there"
        raise Unreadable(f"{path}: column {prefix}{name} is {value!r} in {key}; it must be {wanted}") from None
