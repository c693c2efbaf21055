"""Training: one verb, `fit`, and the loop behind it."""
