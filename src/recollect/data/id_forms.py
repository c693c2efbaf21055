"""The forms in which one id comes: what a spreadsheet or a data frame made of it, and what a person typed.

`ids` decides on whole columns; here ids come one by one, and what is a matter of the column is taken from the ids that
are known.
"""

from __future__ import annotations

import re
import unicodedata
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

from recollect.data.log import DataError, Vocabulary
from recollect.data.missing import MISSING_WORDS

INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_NO_SIGNS = dict.fromkeys(map(ord, INVISIBLE))
POINT_ZERO = r"^-?(?:0|[1-9]\d*)\.0+$"
OTHER_FRACTION = r"^-?\d*\.\d*[1-9]\d*$"
COMMA_ZERO = r"^-?(?:0|[1-9]\d*),0{1,2}$"  # three would be thousands
OTHER_COMMA = r"^-?\d+,\d*[1-9]\d*$"
FRACTIONS = "fractions among user ids"
"""Entry of a card: `have_fractions` of the users of a log."""
FORMULA = r'^="([^"]*)"$'
SCIENTIFIC = r"^-?\d(?:\.\d+[eE]\+?|[eE]\+)\d+$"  # without point and plus it may be a part of a hash: 5e10
_FOUND: weakref.WeakKeyDictionary[Vocabulary, bool] = weakref.WeakKeyDictionary()


def encode(known: Vocabulary, wanted: Iterable[Any], unknown: int) -> np.ndarray:
    """Codes of many ids that somebody names, int64, `unknown` where an id is not known: each as it is written, else as
    it would be read from a file (`17850.0` for 17850, unless fractions such as 1.5 are among the known ids)."""
    named = list(wanted)
    codes = known.encode(named, unknown)
    for place in np.flatnonzero(codes == unknown).tolist():
        if (read := _as_read(named[place], known)) is not None and (found := known.find(read)) is not None:
            codes[place] = found
    return codes


def find(known: Vocabulary, wanted: Any) -> int | None:
    """The code of one id that somebody names, as `encode` has it. DataError for one that a program rounded."""
    code = int(encode(known, [wanted], -1)[0])
    if code >= 0:
        return code
    if isinstance(wanted, str) and re.search(SCIENTIFIC, wanted.strip()):
        raise DataError(f"{wanted.strip()[:60]!r} is an id that a program rounded to a float; give it as an integer")
    return None


def _as_read(named: Any, known: Vocabulary) -> str | None:
    """What a file's reader makes of an id beside those that are known; None for nothing, and for what is no id."""
    if not isinstance(named, str | int | float | np.number):
        return None
    text = plain(str(named))
    if formula := re.search(FORMULA, text):
        text = formula[1].strip()
    if not text or text.lower() in MISSING_WORDS:
        return None
    if re.search(COMMA_ZERO, text):
        return text.partition(",")[0]
    return without_point_zero(text) if re.search(POINT_ZERO, text) and not have_fractions(known) else text


def plain(text: str) -> str:
    """One id without what is no part of it (blanks around it, signs that are not seen), its letters as NFC has them."""
    text = text.strip()
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.translate(_NO_SIGNS)).strip()


def without_point_zero(text: str) -> str:
    """`17850` for `17850.0`: what a whole number among ids became where a program took them for floats."""
    return text.partition(".")[0] if re.search(POINT_ZERO, text) else text


def have_fractions(known: Vocabulary) -> bool:
    """Whether numbers such as 1.5 are among ids: then 17850.0 is an id of its own, and not 17850 made a float."""
    if known.ids.dtype != object:
        return False
    if known not in _FOUND:  # a service asks again and again
        fraction = re.compile(OTHER_FRACTION)
        _FOUND[known] = any(map(fraction.search, known.ids.tolist()))
    return _FOUND[known]


def unreadable(text: str, *, keep_words: bool = False) -> str | None:
    """Why a file with this id would not be read with it, in words that go on from the id; None where it would.

    `keep_words`: as of `code`.
    """
    if not keep_words and text.lower() in MISSING_WORDS:
        return "is a word for nothing"
    if re.search(SCIENTIFIC, text):
        return "is an id that a program rounded to a float"
    return None
