"""Public logs by name: whose they are, where they are published, and which files to put where. Nothing is downloaded.

Pages are those of the owners. Terms of use stand there: many forbid passing the files on, some any use for money.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from recollect.data.log import DataError


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """One public log. `files`: those that are needed, as its owner calls them."""

    name: str
    owner: str
    page: str
    files: tuple[str, ...]
    also: tuple[str, ...] = ()
    """Other names that people use."""
    remark: str = ""
    """What else to know before looking for it there."""


_GROUPLENS = "GroupLens, University of Minnesota"
_MCAULEY = "Julian McAuley's group, UC San Diego"
_KUAISHOU = "University of Science and Technology of China, and Kuaishou"
_LINZ = "Johannes Kepler University Linz"
_LENS_PAGE = "grouplens.org/datasets/movielens"
_WITHDRAWN = "no longer for download there, for reasons of licence; copies from before are read"


def _amazon(name: str, category: str) -> Published:
    whole = f"amazon-{category.lower()}"
    return Published(
        name,
        f"{_MCAULEY} (reviews of 2014)",
        "cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html",
        (f"reviews_{category}_5.json.gz or ratings_{category}.csv", f"meta_{category}.json.gz"),
        (f"{name}-5core", *([whole] if whole != name else [])),
    )


KNOWN = (
    Published("ml-100k", _GROUPLENS, f"{_LENS_PAGE}/100k", ("u.data", "u.item", "u.user"), ("movielens-100k",)),
    Published("ml-1m", _GROUPLENS, f"{_LENS_PAGE}/1m", ("ratings.dat", "movies.dat", "users.dat"), ("movielens-1m",)),
    Published(
        "ml-10m", _GROUPLENS, f"{_LENS_PAGE}/10m", ("ratings.dat", "movies.dat"), ("movielens-10m", "ml-10m100k")
    ),
    *(
        Published(
            f"ml-{size}", _GROUPLENS, f"{_LENS_PAGE}/{page}", ("ratings.csv", "movies.csv"), (f"movielens-{size}",)
        )
        for size, page in (
            ("20m", "20m"),
            ("25m", "25m"),
            ("32m", "32m"),
            ("latest", "latest"),
            ("latest-small", "latest"),
        )
    ),
    _amazon("amazon-beauty", "Beauty"),
    _amazon("amazon-sports", "Sports_and_Outdoors"),
    _amazon("amazon-toys", "Toys_and_Games"),
    _amazon("amazon-books", "Books"),
    _amazon("amazon-games", "Video_Games"),
    _amazon("amazon-electronics", "Electronics"),
    _amazon("amazon-clothing", "Clothing_Shoes_and_Jewelry"),
    _amazon("amazon-movies", "Movies_and_TV"),
    _amazon("amazon-music", "CDs_and_Vinyl"),
    Published(
        "amazon-2018",
        _MCAULEY,
        "nijianmo.github.io/amazon",
        ("CATEGORY_5.json.gz or CATEGORY.csv (one category)", "meta_CATEGORY.json.gz"),
        ("amazon-v2", "amazon-reviews-2018"),
    ),
    Published(
        "amazon-2023",
        _MCAULEY,
        "amazon-reviews-2023.github.io",
        ("CATEGORY.jsonl.gz or CATEGORY.csv (one category)", "meta_CATEGORY.jsonl.gz"),
        ("amazon-reviews-2023",),
    ),
    Published(
        "lfm-1b",
        f"Markus Schedl, {_LINZ}",
        "www.cp.jku.at/datasets/LFM-1b",
        ("LFM-1b_LEs.txt", "LFM-1b_tracks.txt"),
        ("lastfm-1b",),
        _WITHDRAWN,
    ),
    Published(
        "lfm-2b",
        _LINZ,
        "www.cp.jku.at/datasets/LFM-2b",
        ("listening_events.tsv",),
        ("lastfm-2b",),
        _WITHDRAWN,
    ),
    Published(
        "lastfm-1k",
        "Oscar Celma",
        "ocelma.net/MusicRecommendationDataset/lastfm-1K.html",
        ("userid-timestamp-artid-artname-traid-traname.tsv",),
        ("lastfm", "lastfm-dataset-1k"),
        "also at zenodo.org/records/6090214",
    ),
    *(
        Published(
            f"kuairand-{size}",
            _KUAISHOU,
            "kuairand.com",
            (
                f"log_standard_*_{size}_part*.csv" if size == "27k" else f"log_standard_*_{size}.csv",
                f"video_features_basic_{size}.csv",
                f"user_features_{size}.csv",
            ),
            ("kuairand",) if size == "pure" else (),
        )
        for size in ("pure", "1k", "27k")
    ),
    Published("kuairec", _KUAISHOU, "kuairec.com", ("big_matrix.csv",)),
    Published(
        "microlens-100k",
        "Westlake University",
        "recsys.westlake.edu.cn/MicroLens-100k-Dataset",
        ("MicroLens-100k_pairs.csv",),
        ("microlens",),
    ),
    Published(
        "spotify-mpd",
        "Spotify",
        "www.aicrowd.com/challenges/spotify-million-playlist-dataset-challenge",
        ("mpd.slice.0-999.json and so on",),
        ("spotify", "mpd", "million-playlist"),
        "no longer for download there: the page sends you to Spotify Research",
    ),
    Published(
        "steam",
        f"Wang-Cheng Kang and {_MCAULEY}",
        "cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
        ("steam_reviews.json.gz", "steam_games.json.gz"),
    ),
    Published(
        "goodreads",
        f"Mengting Wan and {_MCAULEY}",
        "mengtingwan.github.io/data/goodreads.html",
        ("goodreads_interactions_GENRE.json.gz", "goodreads_books_GENRE.json.gz"),
        remark="all genres: goodreads_interactions_dedup.json.gz and goodreads_books.json.gz",
    ),
    Published(
        "yelp",
        "Yelp",
        "business.yelp.com/data/resources/open-dataset",
        ("yelp_academic_dataset_review.json", "yelp_academic_dataset_business.json"),
    ),
    Published(
        "yoochoose",
        "YOOCHOOSE (RecSys Challenge 2015)",
        "recsys.acm.org/recsys15/challenge",
        ("yoochoose-clicks.dat",),
        ("recsys15", "rsc15", "yoochoose-clicks"),
    ),
    Published(
        "diginetica",
        "Diginetica (CIKM Cup 2016)",
        "competitions.codalab.org/competitions/11161",
        ("train-item-views.csv",),
        ("cikm16",),
    ),
    Published(
        "retailrocket",
        "Retail Rocket",
        "www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
        ("events.csv",),
    ),
    Published(
        "hm",
        "H&M Group",
        "www.kaggle.com/competitions/h-and-m-personalized-fashion-recommendations",
        ("transactions_train.csv", "articles.csv"),
        ("h-and-m",),
    ),
    Published(
        "rees46",
        "REES46",
        "www.kaggle.com/datasets/mkechinov/ecommerce-behavior-data-from-multi-category-store",
        ("2019-Oct.csv (or other months)",),
    ),
    Published(
        "ta-feng",
        "Kaggle (a copy of the original)",
        "www.kaggle.com/datasets/chiranjivdas09/ta-feng-grocery-dataset",
        ("ta_feng_all_months_merged.csv",),
    ),
    *(
        Published(
            f"foursquare-{city}",
            "Dingqi Yang",
            "sites.google.com/site/yangdingqi/home/foursquare-dataset",
            (f"dataset_TSMC2014_{city.upper()}.txt",),
            ("foursquare",) if city == "nyc" else (),
            "without the other city's file, whose user ids mean other people",
        )
        for city in ("nyc", "tky")
    ),
    Published(
        "gowalla",
        "SNAP, Stanford University",
        "snap.stanford.edu/data/loc-gowalla.html",
        ("loc-gowalla_totalCheckins.txt",),
    ),
    Published(
        "brightkite",
        "SNAP, Stanford University",
        "snap.stanford.edu/data/loc-brightkite.html",
        ("loc-brightkite_totalCheckins.txt",),
    ),
    *(
        Published(
            f"mind-{size}",
            "Microsoft News",
            "msnews.github.io",
            (f"behaviors.tsv (of MIND{size}_train.zip or MIND{size}_dev.zip)", "the news.tsv beside it"),
            ("mind",) if size == "small" else (),
        )
        for size in ("small", "large")
    ),
    Published(
        "taobao",
        "Alibaba (Tianchi)",
        "tianchi.aliyun.com/dataset/649",
        ("UserBehavior.csv",),
        ("userbehavior",),
    ),
    Published(
        "online-retail",
        "UCI Machine Learning Repository",
        "archive.ics.uci.edu/dataset/352/online+retail",
        ("the sheet of Online Retail.xlsx, saved as CSV",),
    ),
)


def find(text: str) -> Published | None:
    """The public log that a name means, however it is spelt; None for another name."""
    wanted = _plain(text)
    return next((one for one in KNOWN if wanted in map(_plain, (one.name, *one.also))), None)


def tell_where(text: str, folder: Path) -> None:
    """DataError that says where a public log is published, if `text` names one; `folder` is the data folder."""
    one = find(text)
    if one is None:
        return
    remark = f" ({one.remark})" if one.remark else ""
    raise DataError(
        f"{text}: not in the data folder; {one.name} is published by {one.owner}, {one.page}{remark}: "
        f"put {_listed(one.files)} into {folder / text} (another data folder: --data-dir or RECOLLECT_DATA)"
    )


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
