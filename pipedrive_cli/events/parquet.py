"""Parquet files, row by row, with pyarrow (extra `parquet`), which is loaded when such a file is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO
from uuid import UUID

HINT = "pip install 'pipedrive-cli[parquet]', or with pipx: pipx inject pipedrive-cli pyarrow"


class ParquetTrouble(Exception):
    """The file cannot be read; the message says why, for people."""


class ParquetTable:
    """One Parquet file: the names of its columns, how many rows it has, and these in batches.

    Raises `ParquetTrouble`, or OSError where the file could not be read on.
    """

    def __init__(self, file: BinaryIO) -> None:
        try:
            from pyarrow import ArrowException  # noqa: PLC0415 - an extra
            from pyarrow.parquet import ParquetFile  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ParquetTrouble(f"it is a Parquet file, and the package pyarrow is not installed: {HINT}") from error
        self._errors: type[Exception] = ArrowException
        try:
            self._file: Any = ParquetFile(file)
        except ArrowException as error:
            raise ParquetTrouble(f"it begins like a Parquet file and is damaged: {error}") from error
        self.columns: list[str] = list(self._file.schema_arrow.names)
        self.rows: int = self._file.metadata.num_rows

    def batches(self, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows, at most `size` together; cells are numbers, texts, times, lists and objects."""
        try:
            for batch in self._file.iter_batches(batch_size=size):
                columns = [[as_json_says(cell) for cell in column.to_pylist()] for column in batch.columns]
                yield list(zip(*columns, strict=True)) if columns else []
        except self._errors as error:
            raise ParquetTrouble(f"it is damaged: {error}") from error


def as_json_says(cell: Any) -> Any:
    """A cell as JSON can say it. Numbers with decimals keep all their digits.

    Bytes that are no text are their hexadecimal digits, so that two of them stay two; an infinite number is its name,
    which no field of numbers takes.
    """
    if isinstance(cell, Decimal):
        return str(int(cell)) if cell == cell.to_integral_value() else str(cell)
    if isinstance(cell, bytes):
        return _text_of(cell)
    if isinstance(cell, float) and math.isinf(cell):
        return "Infinity" if cell > 0 else "-Infinity"
    if isinstance(cell, list):
        if cell and all(isinstance(item, tuple) and len(item) == 2 for item in cell):
            return {str(name): as_json_says(value) for name, value in cell}  # how pyarrow gives a map
        return [as_json_says(item) for item in cell]
    if isinstance(cell, dict):
        return {str(name): as_json_says(value) for name, value in cell.items()}
    return cell


def _text_of(cell: bytes) -> str:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return str(UUID(bytes=cell)) if len(cell) == _UUID else cell.hex()


_UUID = 16  # bytes: ids are kept so
