"""Evaluation: ranks by full ranking, the ledger that keeps them, metrics, and tests of significance over users."""
