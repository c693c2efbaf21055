"""Public logs by name: whose they are, where they are had, and which files to put where. Nothing is downloaded.

Home pages are those of the owners; terms of use are on them, and most forbid passing the files on.
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


_GROUPLENS = "GroupLens, University of Minnesota"
_AMAZON = "Julian McAuley, UC San Diego"
_LENS_PAGE = "grouplens.org/datasets/movielens"
_AMAZON_2014 = "jmcauley.ucsd.edu/data/amazon"


def _amazon(name: str, category: str) -> Published:
    whole = f"amazon-{category.lower()}"
    return Published(
        name,
        _AMAZON,
        _AMAZON_2014,
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
        "lfm-1b",
        "Markus Schedl, Johannes Kepler University Linz",
        "www.cp.jku.at/datasets/LFM-1b",
        ("LFM-1b_LEs.txt", "LFM-1b_tracks.txt"),
        ("lastfm-1b",),
    ),
    Published(
        "lastfm-1k",
        "Oscar Celma",
        "ocelma.net/MusicRecommendationDataset/lastfm-1K.html",
        ("userid-timestamp-artid-artname-traid-traname.tsv",),
        ("lastfm", "lastfm-dataset-1k"),
    ),
    *(
        Published(
            f"kuairand-{size}",
            "University of Science and Technology of China, and Kuaishou",
            "kuairand.com",
            (f"log_standard_*_{size}.csv", f"video_features_basic_{size}.csv", f"user_features_{size}.csv"),
            ("kuairand",) if size == "pure" else (),
        )
        for size in ("pure", "1k", "27k")
    ),
    Published(
        "spotify-mpd",
        "Spotify",
        "www.aicrowd.com/challenges/spotify-million-playlist-dataset-challenge",
        ("mpd.slice.0-999.json and so on",),
        ("spotify", "mpd", "million-playlist"),
    ),
    Published(
        "steam",
        f"Wang-Cheng Kang and {_AMAZON}",
        "cseweb.ucsd.edu/~jmcauley/datasets.html",
        ("steam_reviews.json.gz",),
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
    *(
        Published(
            f"foursquare-{city}",
            "Dingqi Yang",
            "sites.google.com/site/yangdingqi/home/foursquare-dataset",
            (f"dataset_TSMC2014_{city.upper()}.txt",),
            ("foursquare",) if city == "nyc" else (),
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
            ("behaviors.tsv", "news.tsv"),
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
        ("its sheet, saved as CSV",),
    ),
)


def find(text: str) -> Published | None:
    """The public log that a name means, however it is spelt; None for another name."""
    wanted = _plain(text)
    return next((one for one in KNOWN if wanted in map(_plain, (one.name, *one.also))), None)


def tell_where(text: str, folder: Path) -> None:
    """DataError that says where a public log is had, if `text` names one; `folder` is the data folder."""
    one = find(text)
    if one is None:
        return
    raise DataError(
        f"{text}: not in the data folder; {one.name} is had from {one.owner}, {one.page}: put {_listed(one.files)} "
        f"into {folder / text} (another data folder: --data-dir or RECOLLECT_DATA)"
    )


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
