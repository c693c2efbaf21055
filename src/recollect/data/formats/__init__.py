"""One reader family a file: each turns its files or tables into a `RawTable`, and knows nothing of the others."""
