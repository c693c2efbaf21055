"""Simulated logs whose best possible score is known: a world, events drawn from it, and their exact prediction."""
