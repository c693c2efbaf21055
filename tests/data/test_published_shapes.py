"""Every public log that is known by name: files of the form its owner publishes, made by hand, are read by that name.

What they hold is invented: two events of one user, the later one first, beside other files of the same archive.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from pathlib import Path

import pytest

from recollect.data import published, sources

TIMES = (1_400_000_000, 1_400_000_065)
ISO = ("2014-05-13T16:53:20.277Z", "2014-05-13T16:54:25.868Z")
SQL = ("2014-05-13 16:53:20", "2014-05-13 16:54:25")
TWITTER = ("Tue May 13 16:53:20 +0000 2014", "Tue May 13 16:54:25 +0000 2014")
DATES, DAYS = ("2014-05-13", "2014-05-14"), (1_399_939_200, 1_400_025_600)


@dataclasses.dataclass(frozen=True)
class Shape:
    files: dict[str, str]
    user: object = 7
    items: tuple[object, object] = (10, 20)
    """The item of the earlier event, then that of the later one."""
    times: tuple[int, ...] = TIMES
    title: str = ""
    """The title of the first item, if a file that is asked for describes it."""


def _two(row: str, times: tuple[object, ...] = TIMES, items: tuple[object, ...] = (10, 20)) -> str:
    """Two rows, the later first: ITEM and TIME stand for what differs."""
    filled = [
        row.replace("ITEM", str(item)).replace("TIME", str(time)) for item, time in zip(items, times, strict=True)
    ]
    return "".join(f"{one}\n" for one in filled[::-1])


def _lens(sign: str, first: str = "") -> dict[str, str]:
    """The ratings and films of MovieLens, with `sign` between columns, and something else that lies beside them."""
    title = '"One, The (1995)"' if first else "One, The (1995)"
    ending = "csv" if first else "dat"
    return {
        f"ratings.{ending}": first + _two("7::ITEM::4.5::TIME".replace("::", sign)),
        f"movies.{ending}": ("movieId,title,genres\n" if first else "") + f"10{sign}{title}{sign}Comedy|Drama\n",
        f"tags.{ending}": ("userId,movieId,tag,timestamp\n" if first else "") + sign.join(("7", "10", "good", "1\n")),
    }


CSV = _lens(",", "userId,movieId,rating,timestamp\n") | {"links.csv": "movieId,imdbId,tmdbId\n10,1,1\n"}
ASINS = ("0000000010", "B000000020")
REVIEW_2014 = (
    '{"reviewerID": "A1AAAAAAAAAAA", "asin": "ITEM", "helpful": [0, 0], "reviewText": "...", "overall": 5.0, '
    '"summary": "...", "unixReviewTime": TIME, "reviewTime": "05 13, 2014"}'
)
REVIEW_2018 = (
    '{"overall": 5.0, "verified": true, "reviewTime": "05 13, 2014", "reviewerID": "A1AAAAAAAAAAA", "asin": "ITEM", '
    '"style": {"Size:": "L"}, "reviewText": "...", "unixReviewTime": TIME}'
)
REVIEW_2023 = (
    f'{{"rating": 5.0, "title": "Fine", "text": "{"long " * 2000}", "images": [], "asin": "B000000030", "parent_asin": '
    '"ITEM", "user_id": "AEAAAAAAAAAAAAAAAAAAAAAAAAAA", "timestamp": TIME123, "verified_purchase": true}'
)


def _amazon_2014(category: str, ratings: bool) -> Shape:
    meta = "{'asin': '0000000010', 'salesRank': {'X': 1}, 'title': \"One's\", 'categories': [['X']]}\n"
    events = _two("A1AAAAAAAAAAA,ITEM,5.0,TIME" if ratings else REVIEW_2014, items=ASINS)
    name = f"ratings_{category}.csv" if ratings else f"reviews_{category}_5.json"
    return Shape({name: events, f"meta_{category}.json": meta}, "A1AAAAAAAAAAA", ASINS, title="One's")


def _kuairand(size: str) -> Shape:
    head = (
        "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
        "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab\n"
    )
    row = "7,ITEM,20140513,1600,TIME000,1,0,0,0,0,0,1,5,6,0,0,0,0,1"
    part = "_part1" if size == "27k" else ""
    files = {
        f"log_standard_4_08_to_4_21_{size}{part}.csv": head + _two(row),
        f"log_random_4_22_to_5_08_{size}.csv": head + _two(row, items=(30, 40)),
        f"user_features_{size}.csv": "user_id,user_active_degree\n7,full_active\n",
        f"video_features_basic_{size}.csv": "video_id,author_id,video_type,upload_dt,tag\n10,1,NORMAL,2014-05-01,3\n",
        f"video_features_statistic_{size}{part}.csv": "video_id,counts\n10,3\n",
    }
    return Shape(files)


def _foursquare(city: str) -> Shape:
    rows = _two("7\tITEM\t4bf5\tTea & 'more\t40.7\t-74.0\t-240\tTIME", TWITTER, ("4a10", "4b20"))
    return Shape(
        {f"dataset_TSMC2014_{city}.txt": rows, "dataset_TSMC2014_readme.txt": "about it"}, items=("4a10", "4b20")
    )


MIND = {
    "behaviors.tsv": _two("1\tU7\t5/13/2014 TIME PM\t\tNITEM-1 N30-0", ("4:53:20", "4:54:25")),
    "news.tsv": 'N10\tsports\tgolf\tA "title\tabstract\thttps://x\t[]\t[]\nN20\tnews\tus\tTwo\t\thttps://x\t[]\t[]\n',
    "entity_embedding.vec": "Q1\t0.1\n",
}
TRACK = '{"pos": POS, "artist_name": "X", "track_uri": "t:ITEM", "artist_uri": "x", "track_name": "Title ITEM"}'
SLICE = '{"info": {"slice": "0-999"}, "playlists": [{"name": "mine", "pid": 7, "num_tracks": 2, "tracks": [%s]}]}'
STEAM = (
    "{u'username': u'Anna B', u'hours': 0.1, u'products': 41, u'product_id': u'ITEM', u'page_order': 0, "
    "u'date': u'TIME', u'text': u\"it's\", u'early_access': False, u'page': 1}"
)
GOODREADS = (
    '{"user_id": "u7", "book_id": "ITEM", "review_id": "r", "is_read": false, "rating": 0, "review_text_incomplete": '
    '"", "date_added": "TIME", "date_updated": "Wed May 14 16:54:25 +0000 2014", "read_at": "", "started_at": ""}'
)
YELP = (
    '{"review_id": "r", "user_id": "u7", "business_id": "pITEM", "stars": 5.0, "useful": 0, "funny": 0, "cool": 0, '
    '"text": "a\\nb", "date": "TIME"}'
)
KUAIREC = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n"
REES46 = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
TA_FENG = (
    '"TRANSACTION_DT","CUSTOMER_ID","AGE_GROUP","PIN_CODE","PRODUCT_SUBCLASS","PRODUCT_ID","AMOUNT","ASSET",'
    '"SALES_PRICE"\n'
)
RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
SHAPES = {
    "ml-100k": Shape(
        {
            "u.data": _two("7\tITEM\t4\tTIME"),
            "u.item": f"10|One (1995)|01-Jan-1995||http://x|{'|'.join('0' * 19)}\n",
            "u.user": "7|24|M|writer|01234\n",
            "u1.base": "7\t20\t4\t1\n",
        },
        title="One (1995)",
    ),
    "ml-1m": Shape(_lens("::") | {"users.dat": "7::F::1::10::01234\n"}, title="One, The (1995)"),
    "ml-10m": Shape(_lens("::"), title="One, The (1995)"),
    **{f"ml-{size}": Shape(CSV, title="One, The (1995)") for size in ("20m", "25m", "32m", "latest", "latest-small")},
    "amazon-beauty": _amazon_2014("Beauty", False),
    "amazon-sports": _amazon_2014("Sports_and_Outdoors", True),
    "amazon-toys": _amazon_2014("Toys_and_Games", False),
    "amazon-books": _amazon_2014("Books", True),
    "amazon-games": _amazon_2014("Video_Games", False),
    "amazon-electronics": _amazon_2014("Electronics", True),
    "amazon-clothing": _amazon_2014("Clothing_Shoes_and_Jewelry", False),
    "amazon-movies": _amazon_2014("Movies_and_TV", False),
    "amazon-music": _amazon_2014("CDs_and_Vinyl", False),
    "amazon-2018": Shape(
        {
            "All_Beauty_5.json": _two(REVIEW_2018, items=ASINS),
            "meta_All_Beauty.json": '{"category": [], "title": "One", "price": "$4.5", "asin": "0000000010"}\n',
        },
        "A1AAAAAAAAAAA",
        ASINS,
        title="One",
    ),
    "amazon-2023": Shape(
        {
            "All_Beauty.jsonl": _two(REVIEW_2023, items=ASINS),
            "meta_All_Beauty.jsonl": '{"title": "One", "store": "S", "parent_asin": "0000000010"}\n',
        },
        "AEAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ASINS,
        title="One",
    ),
    "lfm-1b": Shape(
        {
            "LFM-1b_LEs.txt": _two("7\t1\t2\tITEM\tTIME"),
            "LFM-1b_tracks.txt": '10\tA "one\t1\n20\tTwo\t1\n',
            "LFM-1b_users.txt": "user_id\tcountry\tage\n7\t\t-1\n",
        },
        title='A "one',
    ),
    "lfm-2b": Shape(
        {
            "listening_events.tsv": "user_id\ttrack_id\talbum_id\ttimestamp\n" + _two("7\tITEM\t2\tTIME", SQL),
            "users.tsv": "user_id\tcountry\n7\tAT\n",
        }
    ),
    "lastfm-1k": Shape(
        {
            "userid-timestamp-artid-artname-traid-traname.tsv": _two('user_7\tTIME\ta1\tDeep "Blue\ttITEM\tTitle', ISO),
            "userid-profile.tsv": "#id\tgender\tage\tcountry\tregistered\nuser_7\tm\t\tJapan\tAug 13, 2006\n",
        },
        "user_7",
        ("t10", "t20"),
    ),
    "kuairand-pure": _kuairand("pure"),
    "kuairand-1k": _kuairand("1k"),
    "kuairand-27k": _kuairand("27k"),
    "kuairec": Shape(
        {
            "big_matrix.csv": KUAIREC + _two("7,ITEM,9,9,2014-05-13 16:50:00.123,20140513,TIME.123,1.0"),
            "small_matrix.csv": KUAIREC + _two("9,ITEM,9,9,2014-05-13 16:50:00.123,20140513,TIME.123,1.0"),
            "item_categories.csv": 'video_id,feat\n10,"[27, 9]"\n',
        }
    ),
    "microlens-100k": Shape({"MicroLens-100k_pairs.csv": "user,item,timestamp\n" + _two("7,ITEM,TIME123")}),
    "spotify-mpd": Shape(
        {
            "mpd.slice.0-999.json": SLICE
            % f"{TRACK.replace('POS', '1').replace('ITEM', 'b')}, {TRACK.replace('POS', '0').replace('ITEM', 'a')}",
            "challenge_set.json": SLICE % TRACK.replace("POS", "0").replace("ITEM", "c"),
        },
        7,
        ("t:a", "t:b"),
        (),
        title="Title a",
    ),
    "steam": Shape(
        {
            "steam_reviews.json": _two(STEAM, DATES),
            "steam_games.json": "{u'app_name': u'One', u'id': u'10', u'genres': [u'Indie'], u'price': 9.99}\n",
        },
        "Anna B",
        times=DAYS,
        title="One",
    ),
    "goodreads": Shape(
        {
            "goodreads_interactions_poetry.json": _two(GOODREADS, TWITTER),
            "goodreads_books_poetry.json": '{"isbn": "", "book_id": "10", "title": "One", "publisher": "P"}\n',
        },
        "u7",
        title="One",
    ),
    "yelp": Shape(
        {
            "yelp_academic_dataset_review.json": _two(YELP, SQL),
            "yelp_academic_dataset_business.json": '{"business_id": "p10", "name": "One", "city": "X"}\n',
        },
        "u7",
        ("p10", "p20"),
        title="One",
    ),
    "yoochoose": Shape(
        {
            "yoochoose-clicks.dat": _two("7,TIME,ITEM,S", ISO),
            "yoochoose-buys.dat": _two("7,TIME,ITEM,1000,1", ISO),
            "yoochoose-test.dat": _two("5,TIME,ITEM,0", ISO),
        }
    ),
    "diginetica": Shape(
        {
            "train-item-views.csv": "sessionId;userId;itemId;timeframe;eventdate\n"
            + _two("7;NA;ITEM;TIME;2014-05-13", (0, 65000)),
            "product-categories.csv": "itemId;categoryId\n1;2\n",
        },
        times=(DAYS[0], DAYS[0] + 65),
    ),
    "retailrocket": Shape(
        {
            "events.csv": "timestamp,visitorid,event,itemid,transactionid\n" + _two("TIME117,7,view,ITEM,"),
            "item_properties_part1.csv": "timestamp,itemid,property,value\n1435460400000,10,categoryid,1338\n",
            "category_tree.csv": "categoryid,parentid\n1016,213\n",
        }
    ),
    "hm": Shape(
        {
            "transactions_train.csv": "t_dat,customer_id,article_id,price,sales_channel_id\n"
            + _two("TIME,00aa,0ITEM,0.05,2", DATES),
            "articles.csv": "article_id,product_code,prod_name,product_type_name\n010,01,One,Vest top\n",
            "customers.csv": "customer_id,FN,age\n00aa,,49\n",
        },
        "00aa",
        ("010", "020"),
        DAYS,
        title="One",
    ),
    "rees46": Shape({"2019-Oct.csv": REES46 + _two("TIME UTC,view,ITEM,1,a.b,,1.0,7,s", SQL)}),
    "ta-feng": Shape(
        {
            "ta_feng_all_months_merged.csv": TA_FENG
            + _two('"5/TIME/2014","0007","45-49","115","11","ITEM","2","2","3"', (13, 14))
        },
        "0007",
        times=DAYS,
    ),
    "foursquare-nyc": _foursquare("NYC"),
    "foursquare-tky": _foursquare("TKY"),
    "gowalla": Shape(
        {
            "loc-gowalla_totalCheckins.txt": _two("7\tTIME\t30.2\t-97.7\tITEM", ISO),
            "loc-gowalla_edges.txt": "0\t1\n",
        }
    ),
    "brightkite": Shape(
        {"loc-brightkite_totalCheckins.txt": _two("7\tTIME\t39.7\t-104.9\teITEM", ISO, ("a1", "b2"))},
        items=("ea1", "eb2"),
    ),
    "mind-small": Shape(MIND, "U7", ("N10", "N20"), title='A "title'),
    "mind-large": Shape(MIND, "U7", ("N10", "N20"), title='A "title'),
    "taobao": Shape({"UserBehavior.csv": _two("7,ITEM,2520377,pv,TIME")}),
    "online-retail": Shape(
        {"Online Retail.csv": RETAIL + _two("5363,ITEMB,TEA,6,5/13/2014 TIME,2.55,7,France", ("16:53", "16:54"))},
        items=("10B", "20B"),
        times=(1_399_999_980, 1_400_000_040),
    ),
}


def test_every_known_log_has_a_shape_here() -> None:
    assert set(SHAPES) == {one.name for one in published.KNOWN}


@pytest.mark.parametrize("name", SHAPES)
def test_the_files_that_are_asked_for_are_read(name: str, tmp_path: Path) -> None:
    shape, folder = SHAPES[name], tmp_path / name
    folder.mkdir()
    for file, content in shape.files.items():
        (folder / file).write_text(content, encoding="utf-8")
    log = sources.read(name, data_dir=tmp_path)
    assert log.name == name and not log.dropped
    assert log.user_ids.decode(log.users).tolist() == [shape.user] * 2
    assert log.item_ids.decode(log.items).tolist() == list(shape.items)
    assert log.clock == bool(shape.times)
    if shape.times:
        assert tuple(log.times.tolist()) == shape.times
    if shape.title:
        assert log.titles()[log.items[0]] == shape.title


@pytest.mark.parametrize("one", published.KNOWN, ids=lambda one: one.name)
def test_every_file_that_is_asked_for_is_in_its_shape(one: published.Published) -> None:
    """The names in the message are those that the formats know: no slip of a letter in either place."""
    for text in one.files:
        names = re.findall(r"[\w.*-]*[\w*]\.(?:csv|tsv|txt|dat|data|item|user|jsonl|json)\b", text)
        patterns = [name.replace("CATEGORY", "*").replace("GENRE", "*") for name in names]
        assert patterns or text.endswith("saved as CSV")
        made = [*SHAPES[one.name].files]
        assert not patterns or any(fnmatch.filter(made, pattern) for pattern in patterns), (text, made)
