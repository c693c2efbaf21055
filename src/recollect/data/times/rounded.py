"""Unix times that lost their last digits on the way: 1.7E+12 out of a spreadsheet, or 32-bit floats.

They are still plausible, and events of whole days share one of them, so their order is that of nothing.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import polars as pl

from recollect.data.times import dates
from recollect.data.times.moments import Moments, Problem, Remark
from recollect.data.times.numbers import FORMS

COARSE = 60
"""Seconds: what is rounded to less orders most events."""
SHORT = re.compile(r"[+-]?(\d)(?:\.(\d*))?E\+(\d\d)")
"""As spreadsheets write: programs leave out the plus and keep all digits that there are."""


def refuse(moments: Moments, column: pl.Series, form: str | None) -> Moments:
    """The moments with a refusal if their numbers are rounded to more than a minute, and nobody said to take them."""
    usable = moments.usable
    if moments.elapsed or moments.refusal is not None or form in FORMS or not usable.any():
        return moments
    step = _step_of_floats(moments, usable) if column.dtype == pl.Float32 else _step_of_text(column, moments)
    if step < COARSE:
        return moments
    problem = Problem(
        "rounded time",
        usable,
        lambda row: Remark(f"is rounded to {step:,.0f} seconds, as are the others, so the order of events is lost"),
        "export the times as whole numbers, or take them as they are with --time-format unix (or unix-ms)",
        whole=True,
    )
    return dataclasses.replace(moments, refusal=problem)


def _step_of_floats(moments: Moments, usable: np.ndarray) -> float:
    largest = np.abs(moments.exact[usable]).max() / moments.per_second
    return float(np.spacing(np.float32(largest)))


def _step_of_text(column: pl.Series, moments: Moments) -> float:
    """Seconds: what the last digit of most numbers stands for; 0 if they are written in full."""
    if column.dtype != pl.String:
        return 0.0
    some = dates.some_of(column)
    short = [match for match in map(SHORT.fullmatch, some) if match]
    if 2 * len(short) <= len(some):
        return 0.0
    steps = [10.0 ** (int(match[3]) - len(match[2] or "")) for match in short]
    unit = next(unit for unit in FORMS.values() if unit.form == moments.as_it_is)
    return float(np.median(steps)) / unit.per_second
