"""Readers make OrderDrafts of raw bodies; a file dropped in here is live."""

from channels_sync.readers.base import ReadRow, read, readers

__all__ = ["ReadRow", "read", "readers"]
