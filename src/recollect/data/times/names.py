"""What columns of times are called in public logs, and what dates are called that are no times of events.

Names are compared in lower case with everything but letters and digits removed; the first that is there wins.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

TIME_NAMES = (
    "timestamp time unixtimestamp unixtime unixreviewtime eventtime eventtimestamp datetime date ts timems utctime "
    "createdat createdtime reviewtime ratedat ratingtime invoicedate purchasedate orderdate playedat visittime "
    "viewedat "
    # the same in other words
    "timestampms timestamputc timeutc datetimeutc dateutc utctimestamp utcdatetime utcdate utc unixts unixms unix "
    "epoch epochms epochtime epochseconds dt dttm when moment eventdatetime eventdate eventts eventat eventdt "
    "occurredat occurred occurredon occurrencetime happenedat "
    # created
    "created createdon createdutc createddate createddatetime createdtimestamp createtime createdate "
    "createtimestamp creationtime creationdate creationtimestamp datecreated timecreated "
    # bought
    "orderedat ordered ordertime orderdatetime ordertimestamp orderts orderpurchasetimestamp orderedon dateordered "
    "purchasedat purchased purchasetime purchasedatetime purchasetimestamp purchasedon dateofpurchase boughtat "
    "invoicedatetime invoicetime transactiondate transactiontime transactiondatetime transactiontimestamp "
    "transactiondt transactedat transactionat transdate transtime trandate tdat txndate txntime txntimestamp paidat "
    "paymentdate paymenttime soldat saledate salesdate saletime checkouttime checkoutat basketdate receiptdate "
    "billdate "
    # seen, heard, read
    "clicktime clicktimestamp clickedat clickdate clickts viewtimestamp viewdate viewedon vieweddate impressiontime "
    "watchedat watched watchedon watchdate datewatched playtimestamp playdate playedon listenedat listened "
    "listenedon listentime listendate listentimestamp scrobbledat scrobbletime uts utstimestamp streamedat readat "
    "dateread borrowedat borrowdate borroweddate loandate checkintime checkinat checkindate checkedinat visitedat "
    "visitdate visittimestamp visited visitdatetime "
    # rated, written
    "rated ratedon rateddate ratingdate ratingtimestamp ratetime reviewdate reviewtimestamp reviewedat "
    "reviewdatetime dateposted postedat postedon posteddate postdate posttime commentedat commentdate commenttime "
    "votedat likedat savedat bookmarkedat dateadded addedat addedon addtime favoritedat downloadedat downloadtime "
    "searchedat searchtime submittedat submittime submissiontime answeredat answertime attemptedat attempttime "
    "completedat finishedat "
    # logged
    "actiontime actiontimestamp actiondate actionat interactiontime interactiontimestamp interactiondate "
    "interactedat behaviortime behaviourtime activitytime activitydate activityat accesstime accessedat accessdate "
    "requesttime requestedat requestdate loggedat logged logtime logdate logtimestamp recordedat recordtime "
    "recorddate collectedat capturedat servertime servertimestamp localtime localtimestamp localdatetime clienttime "
    "clienttimestamp devicetime starttime startedat starttimestamp startdate begintime sessionstart sessiondate "
    "endtime endedat receivedat insertedat inserttime insertedon updatedat updatetime updatedon updated lastupdated "
    "modifiedat tsms tsutc "
    # German, French, Spanish, Italian, Portuguese
    "zeitstempel zeitpunkt datumzeit datumuhrzeit datum zeit bestelldatum bestellzeit bestelltam kaufdatum kaufzeit "
    "gekauftam rechnungsdatum buchungsdatum buchungszeit verkaufsdatum erstelltam erstelldatum bewertungsdatum "
    "horodatage horodate dateheure datetemps dateachat datedachat datecommande datedecommande datefacture "
    "datetransaction datevente datecreation dateevenement marcatemporal marcadetiempo fechahora fechayhora fecha "
    "fechacompra fechadecompra fechapedido fechatransaccion fechaventa fechafactura fechacreacion fechaevento "
    "dataora datahora dataacquisto dataordine datacompra datapedido datavenda datavendita datatransazione "
    "datatransacao"
)
CLOCK_NAMES = (
    "hourmin hhmm hhmmss timeofday time clock hour hourofday hours eventhour orderhourofday ordertime transtime "
    "uhrzeit heure hora ora"
)
"""What a time of day is called that stands beside a date."""

_TIME_WORDS = (
    *("at", "on", "time", "date", "datetime", "timestamp", "ts", "dt", "when", "utc", "day"),
    *("datum", "zeit", "zeitstempel", "zeitpunkt", "fecha", "horodatage"),
)
_OF_THINGS = ("publish", "regist", "signup", "join", "expir", "valid", "until", "deadline", "due")
_NO_EVENTS = (
    *("birth", "birthday", "born", "dob", "release", "released"),
    *("geburtsdatum", "geburtstag", "erscheinungsdatum", "naissance", "sortie", "nacimiento", "lanzamiento", "nascita"),
)
_NO_TIMES = (
    "id",
    "ids",
    "no",
    "nr",
    "number",
    "code",
    "isbn",
    "ean",
    "upc",
    "sku",
    "phone",
    "zip",
    "hash",
    "key",
    "price",
    "nummer",
    "preis",
    "prix",
    "precio",
)


def plain(name: str) -> str:
    """A name as it is compared: the accents of its letters are signs of their own, and so left out."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", name.lower()) if letter.isalnum())


def known(names: Sequence[str], words: str) -> list[str]:
    """Those of the names that are among the words, in the order of the words."""
    by_word = {plain(name): name for name in reversed(names)}
    return [by_word[word] for word in words.split() if word in by_word]


def says_time(name: str) -> bool:
    """Whether the last word of a name is one for times, and no word one for the times of things: `lesson_done_at`."""
    words = _words(name)
    return bool(words) and words[-1] in _TIME_WORDS and not any(word.startswith(_OF_THINGS) for word in words)


def of_no_event(name: str) -> bool:
    """Whether a date, by its name, describes a person or a thing: `birth_date`, `release_date`."""
    return any(word in _NO_EVENTS for word in _words(name)) or plain(name) in (
        "birthdate",
        "dateofbirth",
        "releasedate",
    )


def of_no_time(name: str) -> bool:
    """Whether a number, by its name, is a name or an amount: `session_id`, `phone`."""
    return any(word in _NO_TIMES for word in _words(name)) or plain(name).endswith(("id", "nummer"))


def _words(name: str) -> list[str]:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return re.findall(r"[a-z]+", spaced.lower())
