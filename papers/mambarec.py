"""MambaRec (the fourth seed, which the third repeats): its hybrids of Mamba and attention, and what it published.

    python papers/mambarec.py            the figures, and which of them no ranking can have given
    python papers/mambarec.py settings   its models and settings, as a file for `recollect compare --config`

Source: Alokam Gnaneswara Sai, "State-space models for large sequence modeling in sequential recommendation", readme of
the repository `mambarec`. Candidates are 100 uniform negatives over raw ids, beside which a model of width 2 gets .75:
its rows can be compared with each other at best, and nothing here with them.
"""

from __future__ import annotations

from collections.abc import Mapping

METHODS = ("gru4rec", "sasrec", "recmamba", "mambarec", "moematrrec")
METRICS = ("hr@10", "ndcg@10", "hr@20", "ndcg@20")

_TABLES = {
    "kuairand, last 2k": """
        .4439 .7857 .7652 .8502 .8419
        .3184 .6126 .5828 .7360 .7972
        .4617 .8361 .8172 .8781 .8777
        .3230 .6254 .5960 .7430 .7264""",
    "kuairand, last 5k": """
        .2957 .8642 .7733 .8854 .8769
        .3080 .7242 .5951 .7782 .7608
        .2318 .8982 .8253 .9071 .9049
        .2350 .7328 .6082 .7846 .7679""",
    "lfm-1b, last .25k": """
        .3469 .7533 .7431 .7548 .7493
        .2285 .6187 .5290 .6120 .6138
        .3512 .7791 .7612 .7786 .7792
        .2345 .6328 .5386 .6212 .6214""",
    "lfm-1b, last .5k": """
        .3586 .7822 .7464 .7897 .7842
        .2384 .6321 .5940 .6522 .6484
        .3623 .8144 .7658 .8147 .8169
        .2394 .6351 .6002 .6550 .6560""",
    "lfm-1b, last 1k": """
        .3469 .8059 .8023 .8130 .8104
        .2391 .6767 .6948 .7187 .6964
        .3638 .8410 .8389 .8420 .8409
        .2398 .6856 .7148 .7261 .7015""",
    "lfm-1b, last 2k": """
        .3597 .8388 .8319 .8429 .8295
        .2401 .7537 .7393 .7582 .7328
        .3864 .8598 .8570 .8612 .8573
        .2469 .7591 .7456 .7604 .7407""",
    "lfm-1b, last 5k": """
        .3800 .8794 .8727 .8548 .8461
        .2366 .7905 .7908 .7713 .7625
        .4055 .8969 .8904 .8923 .8700
        .2432 .7950 .7953 .7967 .7712""",
}
"""One row a metric, one column a method."""

EFFICIENCY = {
    # LFM-1b, last 1k: GPU memory in GB, seconds of five epochs, seconds of evaluation
    "sasrec": (25.42, 1319.18, 119.2),
    "recmamba": (20.48, 819.13, 64.32),
    "mambarec": (24.26, 840.28, 61.86),
}

MODELS: Mapping[str, Mapping[str, Mapping[str, object]]] = {method: {} for method in METHODS}
"""The readme states no settings, so each model is this project's default."""

TRAIN: Mapping[str, object] = {}


def figures(data: str) -> dict[str, dict[str, float]]:
    """method -> metric -> figure."""
    rows = [[float(cell) for cell in row.split()] for row in _TABLES[data].strip().splitlines()]
    return {
        method: {metric: row[column] for metric, row in zip(METRICS, rows, strict=True)}
        for column, method in enumerate(METHODS)
    }


DATA = tuple(_TABLES)


if __name__ == "__main__":
    from published import main

    main({(data, method): row for data in DATA for method, row in figures(data).items()}, MODELS, TRAIN)
