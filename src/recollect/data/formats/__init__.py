"""One format a file: each turns files into a `RawTable`, and knows nothing of the others; `registry` finds them.

Read first: contract (what a format is), then delimited (the usual one). `frames` is for tables in memory.
"""
