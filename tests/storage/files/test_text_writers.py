"""Texts in files of text: what a delimiter, a quote or the end of a line in them would break is quoted or escaped."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.file_columns import Column, RowLayout
from storage.files.writers.delimited import DelimitedWriter
from storage.files.writers.json_rows import JsonWriter

TEXTS = st.lists(
    st.text(st.sampled_from("ab,\t\"'\\\n\r;é\x01\u2028"), max_size=6) | st.just("plain"), min_size=1, max_size=8
)


def batch(texts: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(range(len(texts))), pa.array(texts, pa.string())], ["number", "notes"])


@pytest.mark.parametrize("delimiter", [",", "\t"])
@given(texts=TEXTS)
def test_any_texts_come_back_from_lines_of_fields(delimiter: str, texts: list[str]) -> None:
    stream = io.BytesIO()
    DelimitedWriter(stream.write, ["number", "notes"], delimiter, "UTC", frozenset()).write(batch(texts))
    rows = list(csv.reader(io.StringIO(stream.getvalue().decode(), newline=""), delimiter=delimiter))
    assert rows == [["number", "notes"], *([str(at), text] for at, text in enumerate(texts))]


@pytest.mark.parametrize("is_array", [True, False])
@given(texts=TEXTS)
def test_any_texts_come_back_from_json(is_array: bool, texts: list[str]) -> None:
    stream = io.BytesIO()
    layout = RowLayout((Column("number", "number"), Column("notes", "notes")))
    writer = JsonWriter(stream, layout, "UTC", is_array=is_array, trimmed=frozenset())
    writer.write(batch(texts))
    writer.finish({})
    written = stream.getvalue().decode()
    rows = json.loads(written) if is_array else [json.loads(line) for line in written.split("\n")[:-1]]
    assert rows == [{"number": at, "notes": text} for at, text in enumerate(texts)]
