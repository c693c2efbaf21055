"""The version of the package, in a file that imports nothing: whatever keeps what it made can write it down."""

__version__ = "0.1.0"
