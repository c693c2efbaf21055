"""How one date is written: from `03.04.2012 18:00` to the pattern that reads all of its kind.

The patterns are those of chrono's strftime, which Polars reads whole columns with. Names of months are English.
"""

from __future__ import annotations

import dataclasses
import functools
import re

from recollect.data.times.order import DAY_FIRST, MONTH_FIRST, YEAR_FIRST

MONTHS = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
WEEKDAYS = r"(?:Mon|Tue|Tues|Wed|Thu|Thur|Thurs|Fri|Sat|Sun|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"

UTC_BEHIND = r" ?(?:\((?:UTC|GMT)\)|\[(?:UTC|GMT|Z)\])$"

# What is put right before a pattern can read it: (what, with what). Python and Rust read these expressions alike.
TIDY = (
    (r"\s+", " "),
    (r"^\[(.*)\]$", "${1}"),  # as Apache and nginx write: [10/Oct/2000:13:55:36 -0700]
    (rf"(?i)^{WEEKDAYS}\b\.?,? ?", ""),
    (  # the name of a zone, behind its offset
        r"([+-][0-9]{2}:?[0-9]{2}|[0-9] ?(?:Z|UTC|GMT)) ?(?:\([^()]*\)|\[[^\[\]]*\])$",
        "${1}",
    ),
    (UTC_BEHIND, ""),  # as in Wikipedia's signatures
    (r"(?i)([0-9] ?[ap])\. ?m\.?", "${1}m"),
    (r"(?i)([0-9])(?:st|nd|rd|th)\b", "${1}"),
    (r"(?i)\b(sep)t\b", "${1}"),
    (r"([0-9])\. ", "${1}."),
    (rf"(?i)\b({MONTHS})\.,? ", "${1} "),
    (r"(:[0-9]{2}),([0-9]+)", "${1}.${2}"),
    (r"\b(?:EST|CDT)\b", "-0500"),  # the zones that RFC 2822 names
    (r"\bEDT\b", "-0400"),
    (r"\b(?:CST|MDT)\b", "-0600"),
    (r"\b(?:MST|PDT)\b", "-0700"),
    (r"\bPST\b", "-0800"),
)

CLOCK = (
    r"(?P<hour>\d{1,2})(?:(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?P<fraction>\.\d{1,12})?)?)?"
    r"|(?P<dots>\.\d\d\.\d\d)(?P<dotted>\.\d{1,12})?)"  # 13.30.00.000000: Oracle, Db2
    r"(?P<half> ?[AP]M)?(?P<zone> ?(?:Z|UTC|GMT|(?:UTC|GMT)?[+-]\d\d:?\d\d|[+-]\d\d))?"
)
GAP = r"(?P<gap>[T ]|, ?| at | ?- ?|:)"
MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Date:
    """A way to write a date: what it looks like, and (order, pattern) of each way to read it.

    In patterns, < and > stand for the signs that were found between the parts, and %Y for a year of as many digits.
    """

    looks: str
    reads: tuple[tuple[str, str], ...]
    family: str = "year first"
    clock: bool = True


DATES = (
    Date(r"(?P<year>\d{4})(?P<sign>[-/.])\d{1,2}(?P=sign)\d{1,2}", (("", "%Y<%m<%d"),)),
    Date(r"(?P<year>\d{4})(?P<sign>)\d{4}", (("", "%Y%m%d"),)),  # only before a time of day: digits alone are a number
    Date(r"(?P<year>\d{4})(?P<sign>年)\d{1,2}月\d{1,2}日", (("", "%Y年%m月%d日"),)),
    Date(r"(?P<year>\d{4})(?P<sign>[-/])\d{1,2}", (("", "%Y<%m"),), "month", clock=False),
    Date(
        r"\d{1,2}(?P<sign>[-/.])\d{1,2}(?P=sign)(?P<year>\d{4})",
        ((DAY_FIRST, "%d<%m<%Y"), (MONTH_FIRST, "%m<%d<%Y")),
        "parts with <",
    ),
    Date(
        r"\d{1,2}(?P<sign>[-/.])\d{1,2}(?P=sign)(?P<year>\d{2})",
        ((DAY_FIRST, "%d<%m<%Y"), (MONTH_FIRST, "%m<%d<%Y"), (YEAR_FIRST, "%Y<%m<%d")),
        "short parts with <",
    ),
    Date(r"\d{1,2} \d{1,2}(?P<sign>, )(?P<year>\d{4})", (("", "%m %d, %Y"),), "month and day"),  # Amazon's reviews
    Date(
        rf"\d{{1,2}}(?P<sign>[-/. ]){MONTH}(?P<then>[-/. ]|, ?)(?P<year>\d{{4}}|\d{{2}})",
        (("", "%d<%B>%Y"),),
        "month by name",
    ),
    Date(rf"{MONTH}(?P<sign> )\d{{1,2}}(?P<then>, ?| )(?P<year>\d{{4}})", (("", "%B %d>%Y"),), "month by name"),
    Date(rf"(?P<year>\d{{4}})(?P<sign>[-/. ]){MONTH}(?P<then>[-/. ])\d{{1,2}}", (("", "%Y<%B>%d"),), "month by name"),
)


def _compiled(looks: str) -> re.Pattern[str]:
    return re.compile(looks, re.IGNORECASE)


DATE_FIRST = tuple(_compiled(rf"{date.looks}(?:{GAP}{CLOCK})?" if date.clock else date.looks) for date in DATES)
CLOCK_FIRST = tuple(_compiled(rf"{CLOCK}(?P<gap>, ?| ){date.looks}") for date in DATES if date.clock)
YEAR_LAST = _compiled(rf"{MONTH} \d{{1,2}} {CLOCK} (?P<year>\d{{4}})")
"""As Twitter and C's ctime write: Apr 03 18:00:09 +0000 2012."""
BASIC = _compiled(r"\d{8}(?P<gap>[T ])\d{4}(?P<second>\d\d)?(?P<zone> ?(?:Z|UTC|[+-]\d{4}))?")
"""ISO 8601 without signs: 20240531T123000Z."""


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """Patterns that read one kind of date. A column holds dates of one `family`, in one order of day and month."""

    family: str
    patterns: tuple[tuple[str, str], ...]
    """(order, pattern); the order is '' where it is beyond doubt."""
    suffix: str = ""
    """What is put behind the text, because a pattern must have minutes with its hours and days with its months."""
    tidy: tuple[int, ...] = ()
    """Which of `TIDY` have to be applied first."""

    def pattern(self, order: str) -> str:
        """The pattern of one order."""
        return dict(self.patterns)[order]

    @property
    def clocked(self) -> bool:
        """Whether it has a time of day."""
        return "%H" in self.patterns[0][1] or "%I" in self.patterns[0][1]

    @property
    def zoned(self) -> bool:
        """Whether it has an offset from UTC."""
        said = any(TIDY[place][0] == UTC_BEHIND for place in self.tidy)
        return said or any(zone in self.patterns[0][1] for zone in ("%z", "%#z", "Z", "UTC", "GMT"))

    @property
    def orders(self) -> tuple[str, ...]:
        """The orders it can be read in."""
        return tuple(order for order, _ in self.patterns)


def form_of(text: str) -> Form | None:
    """The form a text is written in, None if it is no date. Numbers are none: their size decides."""
    return _form(re.sub(r"\d", "0", text)) if len(text) <= 80 and not text.isdigit() else None


@functools.lru_cache(4096)
def _form(shape: str) -> Form | None:
    """The form of a text by where its digits are; which they are is the pattern's business."""
    steps: list[int] = []
    for place, (what, by) in enumerate(TIDY):
        tidied = re.sub(what, re.sub(r"\$\{(\d)\}", r"\\\1", by), shape)
        if tidied != shape:
            steps.append(place)
            shape = tidied
    for date, regular in zip(DATES, DATE_FIRST, strict=True):
        if match := regular.fullmatch(shape):
            return _made(date, match, tuple(steps))
    for date, regular in zip((date for date in DATES if date.clock), CLOCK_FIRST, strict=True):
        if match := regular.fullmatch(shape):
            return _made(date, match, tuple(steps), clock_first=True)
    if match := YEAR_LAST.fullmatch(shape):
        clock, suffix = _clock(match)
        return Form("month by name", (("", f"%B %d {clock} %Y{suffix and '~%M'}"),), suffix, tuple(steps))
    if match := BASIC.fullmatch(shape):
        second, zone = "%S" if match["second"] else "", _zone(match["zone"])
        return Form("year first", (("", f"%Y%m%d{match['gap']}%H%M{second}{zone}"),), "", tuple(steps))
    return None


def _made(date: Date, match: re.Match[str], steps: tuple[int, ...], clock_first: bool = False) -> Form:
    found = match.groupdict()
    sign, then, year = found["sign"], found.get("then") or "", "%Y" if len(found["year"]) == 4 else "%y"
    clock, suffix = _clock(match) if found.get("hour") else ("", "")
    tail = "~%M" if suffix else ""
    if date.family == "month":
        suffix, tail = "~01", "~%d"
    patterns = []
    for order, read in date.reads:
        read = read.replace("%Y", year).replace("<", sign).replace(">", then)
        parts = (clock, read) if clock_first else (read, clock)
        patterns.append((order, (found.get("gap") or "").join(parts) + tail))
    return Form(date.family.replace("<", sign), tuple(patterns), suffix, steps)


def _clock(match: re.Match[str]) -> tuple[str, str]:
    """-> the pattern of a time of day, and the minutes to put behind the text if it has none."""
    pattern = "%I" if match["half"] else "%H"
    if match["dots"]:
        pattern += ".%M.%S" + ("%.f" if match["dotted"] else "")
    pattern += ":%M" if match["minute"] else ""
    pattern += ":%S" if match["second"] else ""
    pattern += "%.f" if match["fraction"] else ""
    pattern += " %p" if match["half"] else ""
    return pattern + _zone(match["zone"]), "" if match["minute"] or match["dots"] else "~00"


def _zone(zone: str | None) -> str:
    """The pattern of a zone: words as they are, offsets as such."""
    return re.sub(r"[+-]\d\d$", "%#z", re.sub(r"[+-]\d\d:?\d\d$", "%z", zone)) if zone else ""
