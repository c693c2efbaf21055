"""The form of times as a person says it: a word, or a pattern of strftime.

Python's patterns and those that Polars reads with (chrono's) differ a little; people write Python's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
import polars as pl

from recollect.config import did_you_mean
from recollect.data.log import DataError
from recollect.data.times import dates
from recollect.data.times.moments import Moments, nothing
from recollect.data.times.span import MICRO

DIRECTIVE = re.compile(r"%(?:[-_0#:.\d]*)(.)", re.DOTALL)
KNOWN = frozenset("YyCGgmbBhdejaAuwUWVHIklMSfpPzZTRrXDxFcsntv+%")
YEARS, MONTHS, DAYS, HOURS, MINUTES = "YyGgDxFcsv+", "mbBhDxFcsv+", "dejuwaADxFcsv+", "HIklTRrXcs+", "MTRrXcs+"


def is_pattern(form: str | None) -> TypeGuard[str]:
    """Whether a form is a pattern of strftime, and no word."""
    return form is not None and "%" in form


def has_offset(form: str) -> bool:
    """Whether a pattern says moments, whatever the zone: it has an offset, or counts since 1970."""
    letters = set(DIRECTIVE.findall(form))
    return bool(letters & set("zZ+s")) or form.endswith(("Z", "UTC", "GMT"))


def check_form(form: str | None, words: Sequence[str]) -> None:
    """DataError unless `form` is one of the words or a pattern that says the year."""
    if form is None or form in words:
        return
    if not is_pattern(form):
        known = did_you_mean(form, words)
        raise DataError(f"time format {form!r} is neither a pattern such as %d.%m.%Y %H:%M nor a word{known}")
    letters = DIRECTIVE.findall(form)
    unknown = [letter for letter in letters if letter not in KNOWN]
    if unknown or not letters:
        raise DataError(f"time format {form!r}: %{''.join(unknown[:1])} means nothing; write it as strftime does")
    if not set(letters) & set(YEARS):
        raise DataError(f"time format {form!r} says no year (%Y); a time of day needs its date, as --time date,time")


def read_pattern(text: pl.Series, missing: np.ndarray, form: str) -> Moments:
    """Moments of text in the form that was said, taken as they are; rows of another form are bad."""
    text = text.set(pl.Series(missing), None) if missing.any() else text
    pattern = re.sub(r"%[-#](?=[a-yA-Y])", "%", form)  # %-d, %#d: without a zero, which no pattern asks for anyway
    if re.search(r"[.,]%f", pattern):
        text = text.str.replace(r"(:\d\d),(\d+)", "${1}.${2}")
        pattern = re.sub(r"[.,]%f", "%.f", pattern)
    letters = set(DIRECTIVE.findall(pattern))
    if pattern.replace("%", "").isalpha():  # nothing but digits: leading zeros may be lost
        text = text.str.zfill(sum({"Y": 4, "j": 3}.get(letter, 2) for letter in letters))
    for needed, parts, letter, value in (
        (letters & set(YEARS), MONTHS + "jUWV", "m", "01"),
        (letters & set(YEARS), DAYS, "d", "01"),
        (letters & set(HOURS), MINUTES, "M", "00"),
    ):
        if needed and not letters & set(parts):  # Polars wants days with months, and minutes with hours
            text, pattern = text + f"~{value}", f"{pattern}~%{letter}"
    found = dates.parse(text, pattern)
    exact = found.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    bad = found.is_null().to_numpy() & ~missing
    return Moments(exact, MICRO, missing, bad, nothing(len(text)), local=not has_offset(form))
