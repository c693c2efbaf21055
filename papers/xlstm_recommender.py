"""The xLSTM recommender (the second seed): which models it compares on MovieLens, and the figures its text states.

    python papers/xlstm_recommender.py            the figures, and which of them no ranking can have given
    python papers/xlstm_recommender.py settings   its models and settings, as a file for `recollect compare --config`

Source: Vivekanand Ramakrishnan, readme of the repository `xLSTM-Recommender` and "xLSTM architecture for
recommendation". Most of its results are pictures; its notebook called BERT4Rec hides no event and is no BERT4Rec.
"""

from __future__ import annotations

from collections.abc import Mapping

_FIGURES = {
    "ml-1m": {"xlstm4rec": {"recall@10": 0.2932, "mrr@10": 0.1266, "ndcg@10": 0.1655}},
}
"""Stated in words: all items ranked, seen items allowed; which epoch was chosen, and on what, is not."""

MODELS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "xlstm4rec": {
        "model": {"width": 128, "pattern": "mm", "mlstm": {"style": "7b", "expansion": 1}},
        "train": {"batches": {"history": 50}},
    },
    "bert4rec": {"model": {"window": 50}},
    "gru4rec": {},
    "sasrec": {"model": {"window": 50}},
    "bpr": {},
    "svd": {},
    "nmf": {},
    "pmf": {},
    "itemknn": {},
    "userknn": {},
}
"""Two xLSTM blocks of width 128 over the last 50 events (steps 3 to 10); the rest is named there, not described."""

TRAIN: Mapping[str, object] = {}

DATA = tuple(_FIGURES)


def figures(data: str) -> dict[str, dict[str, float]]:
    """method -> metric -> figure."""
    return {method: dict(row) for method, row in _FIGURES[data].items()}


if __name__ == "__main__":
    from published import main

    main({(data, method): row for data in DATA for method, row in figures(data).items()}, MODELS, TRAIN)
