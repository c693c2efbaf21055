"""The xLSTM-LSR paper (the first seed): what it published, what of it is arithmetically possible, and its settings.

    python papers/xlstm_lsr.py            the figures, and which of them no ranking can have given
    python papers/xlstm_lsr.py settings   its models and settings, as a file for `recollect compare --config`
    python papers/xlstm_lsr.py preset     its own model alone, as a file for `recollect train --config`
    python papers/xlstm_lsr.py difference where that model and its training differ from this project's defaults

Source: "Matrix and mixing dual-stream xLSTM for lifelong sequential recommendation" (in Chinese), tables 3 to 7; loo,
all items ranked, seen items allowed, figures as printed. Its data are prepared in ways of its own; it states no seed.
"""

from __future__ import annotations

from collections.abc import Mapping

METHODS = ("gru4rec", "sasrec", "bert4rec", "mamba4rec", "mimn", "slstm4rec", "mlstm4rec", "xlstm4rec", "xlstm-lsr")
METRICS = ("recall@5", "recall@10", "ndcg@5", "ndcg@10", "mrr@5", "mrr@10")

_TABLES_3_AND_4 = {
    "ml-100k": """
        .0520 .0660 .0668 .0647 .0605 .0639 .0667 .0650 .0753
        .1192 .1395 .1291 .1245 .1279 .1288 .1341 .1315 .1489
        .0325 .0429 .0405 .0399 .0375 .0396 .0397 .0409 .0483
        .0607 .0624 .0635 .0592 .0613 .0579 .0643 .0585 .0710
        .0325 .0330 .0357 .0359 .0343 .0326 .0352 .0349 .0389
        .0415 .0434 .0453 .0382 .0437 .0379 .0443 .0385 .0475""",
    "ml-1m": """
        .1392 .1376 .1429 .1305 .1410 .1274 .1356 .1295 .1497
        .2095 .2173 .2135 .2071 .2128 .2132 .2357 .2255 .2523
        .0809 .0829 .0858 .0862 .0807 .0821 .0864 .0829 .0925
        .1061 .1109 .1081 .1025 .1070 .1053 .1195 .1069 .1340
        .0646 .0655 .0680 .0647 .0639 .0629 .0674 .0665 .0712
        .0748 .0769 .0811 .0829 .0735 .0712 .0792 .0741 .0861""",
    "amazon-pantry": """
        .0840 .0855 .0814 .0851 .0833 .0846 .0858 .0834 .0927
        .0972 .1017 .1067 .1041 .0969 .1046 .1069 .1050 .1149
        .0615 .0660 .0695 .0671 .0634 .0604 .0659 .0639 .0731
        .0670 .0698 .0710 .0672 .0682 .0695 .0746 .0739 .0797
        .0525 .0610 .0605 .0594 .0539 .0589 .0617 .0604 .0650
        .0570 .0627 .0635 .0602 .0583 .0611 .0643 .0630 .0679""",
    "amazon-books": """
        .0695 .0680 .0714 .0658 .0702 .0718 .0707 .0684 .0763
        .0794 .0885 .0893 .0862 .0817 .0873 .0895 .0879 .0930
        .0415 .0430 .0395 .0411 .0423 .0404 .0449 .0435 .0462
        .0448 .0470 .0461 .0432 .0451 .0455 .0468 .0451 .0497
        .0325 .0360 .0355 .0379 .0347 .0366 .0357 .0380 .0394
        .0405 .0384 .0375 .0403 .0395 .0415 .0412 .0407 .0437""",
    "lfm-1b": """
        .3020 .3260 .3249 .3353 .3195 .3357 .3439 .3350 .3569
        .3392 .3595 .3401 .3795 .3524 .3688 .3741 .3635 .3986
        .1852 .2329 .2305 .2429 .2094 .2316 .2385 .2400 .2425
        .1907 .2484 .2475 .2582 .2182 .2573 .2597 .2565 .2713
        .1725 .1810 .1805 .1893 .1805 .1904 .1997 .1925 .2090
        .1907 .1984 .2075 .2182 .1987 .2079 .2118 .2098 .2311""",
    "kuairand": """
        .2040 .2305 .2314 .2523 .2285 .2479 .2569 .2515 .2705
        .2312 .2797 .2805 .2993 .2660 .2814 .2895 .2919 .3079
        .1741 .2013 .2078 .2169 .1983 .2174 .2195 .2201 .2283
        .2170 .2528 .2520 .2392 .2408 .2534 .2672 .2597 .2765
        .1309 .1695 .1723 .1814 .1683 .1809 .1827 .1865 .1927
        .1812 .2101 .2135 .2290 .2069 .2265 .2334 .2310 .2473""",
}
"""One row a metric, one column a method, as in tables 3 (the first four data sets) and 4."""

ABLATION = {
    "xlstm-lsr": {},
    "w/o GN": {"gate": "none"},
    "w/o MTX": {"long_memory": "lstm"},
    "w/o MIX": {"short_memory": "lstm"},
    "w/o MTXE": {"mlstm": {"input_gate": "sigmoid"}},
    "w/o MIXE": {"slstm": {"input_gate": "sigmoid"}},
    "w/o CL": {"contrastive": 0.0},
    "w/o LN": {"normalise": False},
}
"""Table 5: each ablation, and the settings of `xlstm-lsr` that make it."""

ABLATION_FIGURES = {
    # recall@10 and ndcg@10 on ML-1M, then on LFM-1b
    "xlstm-lsr": (0.2523, 0.1340, 0.3986, 0.2713),
    "w/o GN": (0.2387, 0.1201, 0.3634, 0.2475),
    "w/o MTX": (0.2230, 0.1179, 0.3565, 0.2397),
    "w/o MIX": (0.2341, 0.1213, 0.3805, 0.2595),
    "w/o MTXE": (0.2343, 0.1205, 0.3729, 0.2564),
    "w/o MIXE": (0.2378, 0.1225, 0.3809, 0.2614),
    "w/o CL": (0.2473, 0.1281, 0.3945, 0.2670),
    "w/o LN": (0.2328, 0.1197, 0.3630, 0.2481),
}

RECURRENT_FIGURES = {
    # table 7, in the same order; mlstm4rec differs from table 3 (.2357/.1195), and both are printed
    "rnn4rec": (0.2005, 0.1017, 0.2869, 0.1920),
    "lstm4rec": (0.2064, 0.1036, 0.3365, 0.2194),
    "bilstm4rec": (0.2102, 0.1069, 0.3597, 0.2312),
    "slstm4rec": (0.2132, 0.1053, 0.3585, 0.2290),
    "mlstm4rec": (0.2302, 0.1104, 0.3779, 0.2505),
    "xlstm4rec": (0.2255, 0.1069, 0.3692, 0.2389),
    "xlstm-lsr": (0.2523, 0.1340, 0.3986, 0.2713),
}

EFFICIENCY = {
    # table 6, ML-1M, length 150: GPU memory in GB, MFLOPs, inference time over SASRec's
    "gru4rec": (17.62, 19.79, 0.93),
    "sasrec": (19.25, 23.68, 1.00),
    "bert4rec": (21.25, 25.92, 1.12),
    "mamba4rec": (16.41, 19.61, 0.79),
    "slstm4rec": (17.26, 21.82, 0.91),
    "mlstm4rec": (16.95, 20.64, 0.78),
    "xlstm4rec": (18.85, 20.92, 0.95),
    "xlstm-lsr": (19.21, 21.35, 0.93),
}

SEARCHED = {
    "width": (32, 64, 128, 256),
    "users a batch": (16, 32, 64, 128),
    "learning_rate": (0.0005, 0.001, 0.005, 0.01),
    "dropout": (0.0, 0.1, 0.2),
    "weight_decay": (1, 0.1, 0.01, 0.001, 0.0001, 0),
    "recent": (10, 20, 30),
}
"""Sec. 5.4. Which values were chosen where is not said, nor any temperature or weight of eq. 24 and 27."""

MLSTM = {
    "block": 4,  # sec. 4.3
    "projection_bias": True,  # eq. 6-8
    "gates_read": "input",  # eq. 9-10: they read what v reads
    "forget_gate": "exp",  # eq. 10
    "output_gate": "sigmoid",  # eq. 11
    "feedforward": 0.0,  # sec. 4.3: nothing behind the cell
    "initialisation": "nxai",
}
"""The equations come first, then the text of sec. 4.3, then NX-AI's code, which it followed (sec. 5.4): there, the
convolution feeds q and k, and a learnt skip and a norm of each head stand behind the cell. Its eq. 5 lacks the absolute
value of n q, without which a negative one is divided by 1; eq. 7 scales k where q is scaled here, the same product."""
SLSTM = {
    "block": 4,  # sec. 4.4
    "forget_gate": "exp",  # eq. 20
    "feedforward": 4 / 3,  # sec. 4.4: up by 4/3, down by 3/4
    "activation": "gelu",
    "initialisation": "nxai",
}
"""Likewise, from eq. 15-21 and sec. 4.4; in NX-AI's code the convolution feeds the input and forget gates."""

PRESET = {
    "blocks": 1,  # sec. 4.3: one mLSTM; sec. 3.2 finds that stacks gain little
    "recent": 20,  # m of sec. 4.8 is 10, 20 or 30
    "gate": "scalar",  # eq. 23 writes the dot of eq. 15-17, not the product of eq. 4; fig. 6-7 plot one number
    "short_training": "sliding",  # sec. 4.4: the last m events, no more
    "normalise": True,  # eq. 1
    "mlstm": MLSTM,
    "slstm": SLSTM,
}
"""xLSTM-LSR as the paper has it. Temperature and weight of eq. 24 and 27 are nowhere in it, and stay the defaults."""

MODELS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "xlstm-lsr": {"model": PRESET},
    "mlstm4rec": {"model": {"mlstm": MLSTM}},
    "slstm4rec": {"model": {"slstm": SLSTM}},
    "xlstm4rec": {"model": {"mlstm": MLSTM, "slstm": SLSTM}},
    "rnn4rec": {},
    "lstm4rec": {},
    "bilstm4rec": {},
    "gru4rec": {},
    "sasrec": {},
    "bert4rec": {},
    "mamba4rec": {},
    "mimn": {},
}
"""Its models, built of the blocks above; all else, unstated there, is this project's default."""

TRAIN = {"epochs": 300, "learning_rate": 0.001, "warmup": 0, "final_rate": 1.0, "weight_decay": 0.0}
"""Adam at one rate, up to 300 epochs (sec. 5.4), from the middle of the ranges searched."""


def figures(data: str) -> dict[str, dict[str, float]]:
    """method -> metric -> figure, for one data set of tables 3 and 4."""
    rows = [[float(cell) for cell in row.split()] for row in _TABLES_3_AND_4[data].strip().splitlines()]
    return {
        method: {metric: row[column] for metric, row in zip(METRICS, rows, strict=True)}
        for column, method in enumerate(METHODS)
    }


DATA = tuple(_TABLES_3_AND_4)


if __name__ == "__main__":
    from published import main

    main({(data, method): row for data in DATA for method, row in figures(data).items()}, MODELS, TRAIN, "xlstm-lsr")
