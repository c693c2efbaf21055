"""Readable names for simulated items, because a list of recommendations is judged by reading it.

Every series gets one title, and its parts are numbered; every topic is a genre with words of its own.
"""

from __future__ import annotations

import numpy as np

GENRES = {
    "Mystery": "Alibi Cipher Witness Footprint Inheritance Lodger Telegram Keyhole",
    "Space": "Orbit Signal Asteroid Colony Airlock Nebula Pilot Horizon",
    "Romance": "Letter Summer Waltz Promise Stranger Bouquet Balcony Sunday",
    "Western": "Canyon Outlaw Saddle Railroad Sheriff Prairie Campfire Homestead",
    "Horror": "Cellar Lantern Doll Fog Attic Whisper Mirror Cradle",
    "Comedy": "Plumber Wedding Parrot Landlord Picnic Moustache Elevator Cousin",
    "Adventure": "Compass Lagoon Expedition Temple Caravan Summit Stowaway Map",
    "Crime": "Heist Informant Getaway Casino Ledger Safe Courier Verdict",
    "Fantasy": "Dragon Amulet Kingdom Sorceress Oak Raven Oath Tower",
    "Music": "Chorus Trumpet Encore Ballad Metronome Rehearsal Cellist Overture",
    "Nature": "Glacier Otter Meadow Migration Reef Falcon Monsoon Orchard",
    "History": "Crown Galley Mosaic Treaty Printer Fortress Emperor Chronicle",
    "Spy": "Dossier Embassy Defector Checkpoint Codename Passport Safehouse Mole",
    "Sport": "Marathon Goalkeeper Regatta Rookie Rematch Relay Velodrome Underdog",
    "Family": "Kite Treehouse Grandmother Lighthouse Puppy Snowman Bicycle Attic",
    "War": "Trench Convoy Medic Bridge Armistice Squadron Siege Dispatch",
}
ADJECTIVES = """Silent Crimson Last Hidden Golden Broken Distant Paper Midnight Forgotten Second Wandering Velvet
Burning Patient Hollow Borrowed Northern Quiet Restless Painted Iron Secret Early Crooked Glass Gentle Stolen Endless
Winter Unlikely Honest Wild Amber Faded Reluctant Clever Drowned Sleeping Invisible"""
PLACES = """Marrow Bay,Lisbon,the North,Elm Street,Saint Orla,the Delta,Prague,Two Rivers,Hollow Hill,the Archipelago,
Kestrel Point,Vienna,the Old Quarter,Juniper Lake,Samarkand,Platform Nine,the Salt Coast,Montreal,Ash Valley,Room 12"""


def catalogue_titles(
    sequels: np.ndarray, topics: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Title, genre and series name of every slot [K*N] (object); `sequels` [K*N] is the next part or -1.

    No two titles are alike.
    """
    count = len(sequels)
    places = count // topics
    titles, series, genres = (np.empty(count, dtype=object) for _ in range(3))
    names = list(GENRES)
    adjectives = ADJECTIVES.split()
    firsts = np.setdiff1d(np.arange(count), sequels)
    used: set[str] = set()
    for topic in range(topics):
        turn, kind = divmod(topic, len(names))
        genres[topic * places : (topic + 1) * places] = names[kind] if turn == 0 else f"{names[kind]} {turn + 1}"
        nouns = GENRES[names[kind]].split()
        for first in firsts[firsts // places == topic].tolist():
            name = _unused_name(adjectives, nouns, used, rng)
            used.add(name)
            slot, part = first, 1
            while slot >= 0:
                series[slot] = name
                titles[slot] = name if part == 1 else f"{name} {_roman(part)}"
                slot, part = int(sequels[slot]), part + 1
    return titles, genres, series


def _unused_name(adjectives: list[str], nouns: list[str], used: set[str], rng: np.random.Generator) -> str:
    """`The Silent Cipher`; longer once short names run out, numbered once the long ones do."""
    places = [" ".join(place.split()) for place in PLACES.split(",")]
    for attempt in range(30):
        name = f"The {adjectives[rng.integers(len(adjectives))]} {nouns[rng.integers(len(nouns))]}"
        if attempt >= 5:
            name += f" of {places[rng.integers(len(places))]}"
        if name not in used:
            return name
    return f"{name} ({len(used) + 1})"


def _roman(number: int) -> str:
    text = ""
    for value, sign in ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV")):
        text += sign * (number // value)
        number %= value
    return text + "I" * number
