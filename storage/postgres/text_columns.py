"""
Reads rows from the database as columns: the server joins them to one text, which Arrow parses.

No value becomes a Python object, and no row a message: COPY would send one for each, which costs the client more than
all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from app.market.columns.arrow import arrow
from storage.postgres.connection import Connection


def text_columns(
    connection: Connection, query: sql.Composable, values: Mapping[str, object], fields: Sequence[Any]
) -> Any:
    """
    Return the rows of a query as one Arrow RecordBatch with these fields, which are the query's columns.

    The first is a time, in whose order the rows are. No value may be NULL or have a comma in it. The rows must fit into
    one text of the server, a gigabyte. Raises psycopg.Error.
    """
    pa = arrow()
    import pyarrow.csv as arrow_csv  # here, as `app.market.columns.arrow` imports the rest of it

    names = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields)
    joined = sql.SQL(
        "SELECT convert_to(string_agg(concat_ws(',', {names}), E'\\n'), 'UTF8') FROM ({query}) AS rows ({names})"
    )
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(joined.format(names=names, query=query), values, prepare=False).fetchone()
    kinds = pa.schema(fields)
    if found is None or found[0] is None:
        return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in fields], schema=kinds)
    text = found[0]
    del found
    table = arrow_csv.read_csv(
        pa.py_buffer(text),
        # One block: its columns are then in one piece, and parsed beside each other.
        read_options=arrow_csv.ReadOptions(column_names=kinds.names, block_size=len(text) + 1),
        convert_options=arrow_csv.ConvertOptions(column_types=kinds, true_values=["t"], false_values=["f"]),
    )
    rows = table.combine_chunks().to_batches()[0]
    times_us = rows.column(0).view(pa.int64()).to_numpy()
    # An aggregate sees the rows of a sorted query in their order; no server promises that it always will.
    return rows if (times_us[1:] >= times_us[:-1]).all() else rows.sort_by(fields[0].name)
