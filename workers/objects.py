"""A job's rows as they lie in our own storage: a batch of the file, Arrow IPC, compressed."""

import io

import polars as pl

from models_hub import storage
from workers.models import Chunk


def packed(frame: pl.DataFrame) -> bytes:
    """A batch's frame as it is stored."""
    stream = io.BytesIO()
    frame.write_ipc(stream, compression="zstd")
    return stream.getvalue()


def rows_of(chunk: Chunk) -> pl.DataFrame:
    """The rows of a chunk, as the splitting stored them. Raises Unavailable."""
    frame = object_of(chunk)
    return frame.slice(chunk.row_from - chunk.object_from, chunk.row_to - chunk.row_from)


def object_of(chunk: Chunk) -> pl.DataFrame:
    """All rows that lie together with a chunk's. Raises Unavailable."""
    data = storage.read_stored(chunk.organisation_id, chunk.object_sha256)
    return pl.read_ipc(io.BytesIO(data))
