"""Where events and memories are kept: the contract of a store, and the stores that keep it."""
