"""Which column is the user, which the item, which the time: asked for by name, or guessed from well-known names.

A guess is always reported; a name that is not there is an error that lists the names that are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import polars as pl

from recollect.config import did_you_mean
from recollect.data import matrix
from recollect.data.log import DataError
from recollect.data.reading import NO_TIME, Reading
from recollect.data.times.choose import Choice, choose, watch
from recollect.data.times.names import known as known_names
from recollect.data.times.names import plain
from recollect.data.where import parse

# Compared in lower case with everything but letters and digits removed; the first that is there wins.
USER_NAMES = (
    "userid user uid userindex visitorid customerid customer customernumber clientid client reviewerid memberid "
    "member accountid account profileid personid playerid studentid listenerid username "
    # German, French, Spanish, Italian, Portuguese
    "kundennummer kundennr kundenid kundeid kundenkonto kunde nutzerid nutzer benutzerid benutzer benutzername "
    "mitgliedid mitgliedsnummer mitglied idclient numeroclient numclient codeclient utilisateurid idutilisateur "
    "utilisateur acheteur idcliente clienteid numerocliente codigocliente codicecliente cliente idusuario usuarioid "
    "usuario idutente utenteid utente comprador iduser sessionid session"
)
ITEM_NAMES = (
    "itemid item iid itemindex movieid movie productid product parentasin asin stockcode sku articleid article trackid "
    "track songid song artistid artist bookid book isbn gameid game appid videoid video businessid venueid venue poiid "
    "poi locationid newsid problemid exerciseid recipeid contentid "
    # German, French, Spanish, Italian, Portuguese
    "artikelnummer artikelnr artikelid artikel produktnummer produktnr produktid produkt idproduit produitid "
    "codeproduit refproduit referenceproduit produit idarticle codearticle refarticle idproducto productoid "
    "codigoproducto producto idarticulo articuloid codigoarticulo articulo idprodotto prodottoid codiceprodotto "
    "prodotto codicearticolo articolo idproduto produtoid codigoproduto produto iditem"
)
Sample = Callable[[], pl.DataFrame]
"""Gives the first rows of a source, all columns: looked at where names alone do not decide."""


@dataclasses.dataclass(frozen=True, slots=True)
class Roles:
    """The columns that were found. A role of several columns is a key of all of them; `time` may be empty."""

    user: tuple[str, ...]
    item: tuple[str, ...]
    time: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    kind: str | None = None
    conditions: tuple[str, ...] = ()
    """The columns that `where` looks at."""
    notes: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    """Where there is no time: a column that tells whether the rows run backwards."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that has to be read, each once."""
        kind = () if self.kind is None else (self.kind,)
        named = (*self.user, *self.item, *self.time, *self.values, *kind, *self.conditions, *self.watched)
        return tuple(dict.fromkeys(named))

    def again(self, reading: Reading) -> Reading:
        """The same columns, asked for by name: what the second file of several must have."""
        return reading.but(
            user=",".join(self.user),
            item=",".join(self.item),
            time=",".join(self.time) or NO_TIME,
        )


def resolve(names: Sequence[str], reading: Reading, where: str, sample: Sample | None = None) -> Roles:
    """Find the columns of a source that has `names`. DataError, naming `where`, if one is missing or no guess fits."""
    user = _take(names, reading.user, USER_NAMES, "user", where, sample)
    item = _take(names, reading.item, ITEM_NAMES, "item", where, sample)
    if reading.time is None:
        choice = choose(names, (*user, *item), sample, where)
    elif reading.time == NO_TIME and NO_TIME not in names:
        choice = Choice(watched=watch(names, (*user, *item), sample))
    else:
        choice = Choice(_take(names, reading.time, "", "time", where))
    time = choice.time
    if set(user) == set(item) or set(time) & {*user, *item}:
        raise DataError(
            f"{where}: user, item and time must be three columns, not {_short(shown(user))}, {_short(shown(item))} and "
            f"{_short(shown(time))}; "
            f"there are {listed(names)}"
        )
    conditions = () if reading.where is None else parse(reading.where).columns
    kind = () if reading.kind is None else (reading.kind,)
    for name in (*reading.values, *kind, *conditions):
        if name not in names:
            raise _absent(name, names, where)
    notes = [f"columns: user = {shown(user)}, item = {shown(item)}, time = {shown(time) or '(none)'}"]
    notes += choice.notes
    if not time and reading.time is None:
        notes.append(f"no time column among {listed(names)}: the order of the rows is used")
    more = (reading.kind, conditions, tuple(notes), choice.watched)
    return Roles(user, item, time, tuple(reading.values), *more)


def shown(role: Sequence[str]) -> str:
    """A role as a person writes it: one column, or several with commas between them."""
    return ",".join(role)


def guess(names: Sequence[str], known: str) -> str | None:
    """The column whose name stands first among the `known` ones."""
    return next(iter(known_names(names, known)), None)


def _take(
    names: Sequence[str], asked: str | None, known: str, role: str, where: str, sample: Sample | None = None
) -> tuple[str, ...]:
    if asked is not None:
        if asked in names:
            return (asked,)
        parts = tuple(part.strip() for part in asked.split(","))
        for part in parts:
            if part not in names:
                raise _absent(part, names, where)
        return tuple(dict.fromkeys(parts))
    found = guess(names, known)
    if found is None:
        if sample is not None and len(names) > matrix.COLUMNS:
            ids = [one for one in (guess(names, USER_NAMES), guess(names, ITEM_NAMES)) if one is not None]
            if advice := matrix.advice(sample(), ids):
                raise DataError(f"{where}: {advice}")
        bare = any(name.replace(".", "").isdigit() for name in names)
        hint = f" (if the first line is no header, by number: --{role} 1)" if bare else ""
        raise DataError(
            f"{where}: no column looks like the {role}; name it with --{role}{hint}; there are {listed(names)}"
        )
    twin = next((name for name in names if name != found and plain(name) == plain(found)), None)
    if twin is not None:
        raise DataError(
            f"{where}: {found!r} and {twin!r} may both be the {role}; say --{role} {found} or --{role} {twin} (if each "
            "row has one of them, give both one name)"
        )
    return (found,)


def _absent(asked: str, names: Sequence[str], where: str) -> DataError:
    near = did_you_mean(asked, names) if len(asked) < 100 else ""
    near = near if "did you mean" in near and len(near) < 100 else ""
    return DataError(f"{where}: no column {_short(asked)}{near}; there are {listed(names)}")


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:37] + "...")


def listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_short, names[:20]))
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
