"""Checks of the records that are read: first the types of the columns, then the values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
from pandera.errors import SchemaError

from benchmarks.record import SCHEMA, STATUSES, TURN

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
        super().__init__(" ".join(message.splitlines()))


def _named(values: pd.Series) -> pd.Series:
    return values.cat.codes < MOST_WORDS


NAMES = [pandera.Check(_named, error=f"one of at most {MOST_WORDS} names")]
STATUS = [pandera.Check.isin(STATUSES, error=f"one of {', '.join(STATUSES)}")]
COUNT = [pandera.Check.ge(0, error="at least 0")]
TIME = [pandera.Check.in_range(0, np.inf, include_min=False, include_max=False, error="above 0 and finite")]
REASON = [pandera.Check(lambda reasons: reasons != "", error="given where the status is not ok")]

CHECKS = dict.fromkeys(set(WORDS) - {"reason", "error_tensor"}, NAMES) | {"status": STATUS, "replicate": COUNT}
RECORDS = pandera.DataFrameSchema({name: pandera.Column(None, CHECKS.get(name)) for name in NEEDED}, unique=KEY)
OK = pandera.DataFrameSchema({"seconds": pandera.Column(None, TIME)})
NOT_OK = pandera.DataFrameSchema({"reason": pandera.Column(None, REASON)})
TURNS = pandera.DataFrameSchema(
    {name: pandera.Column(None, check, required=False) for name, check in (("block", COUNT), ("seconds", TIME))}
)


def check_types(path: Path, columns: pa.Schema) -> None:
    """Check the columns of a file before a row is read: pandas has no type for whole numbers with nulls.

    Raises:
        Unreadable: a needed column is missing, or a column has another type than in benchmarks.record.
    """
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


def check_values(path: Path, records: pd.DataFrame, turns: pd.DataFrame) -> None:
    """Check the values of a file.

    Raises:
        Unreadable: names the column, the row's KEY and the value, for the first value that can't be true.
    """
    if records.empty:
        raise Unreadable(f"{path} holds no record")
    ok = records["status"] == "ok"
    _check(path, RECORDS, records, records)
    _check(path, OK, records.loc[ok, ["seconds"]], records)
    _check(path, NOT_OK, records.loc[~ok, ["reason"]], records)
    _check(path, TURNS, turns, records, "turns.")


def _check(
    path: Path, schema: pandera.DataFrameSchema, rows: pd.DataFrame, records: pd.DataFrame, prefix: str = ""
) -> None:
    """Check rows of `records`, which have their labels from there, or turns, which have a prefix and a `record`."""
    try:
        schema.validate(rows, inplace=True)
    except SchemaError as error:
        label = error.failure_cases["index"].iloc[0]
        record = records.loc[rows.loc[label, "record"] if prefix else label]
        key = "/".join(str(value) for value in record[KEY])
        if error.check == "multiple_fields_uniqueness":
            raise Unreadable(f"{path}: {key} occurs more than once ({', '.join(KEY)})") from None
        name = error.schema.name
        value = rows.loc[[label], name].to_list()[0]
        wanted = error.check.error if isinstance(error.check, pandera.Check) else "there"
        raise Unreadable(f"{path}: column {prefix}{name} is {value!r} in {key}; it must be {wanted}") from None
