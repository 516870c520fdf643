"""Order files: what kind a file is, its rows as a stream, its columns, and the pieces in which it is taken in."""
