"""A made-up season of bookings, the same for the same seed: two hotels, all statuses, names as the world has them."""

import random
from datetime import date, timedelta

from doubles.bookings.booking import Booking

SEASON_DAYS = 150
_SO_FAR = timedelta(days=45)
"""How much of the season is over: earlier stays have ended, later ones are still to come."""
_HOTELS = ("Harbour Hotel", "Old Town Hotel")
_ROOMS = {"Single": "64.00", "Double": "89.50", "Twin": "89.50", "Family": "128.00", "Suite": "212.75"}
_FIRST = (
    *("Anna", "José", "Zoë", "Łukasz", "Søren", "Müge", "Ying", "Siân", "Ólafur", "Chloé", "Jürgen", "Nguyễn"),
    *("Олена", "Δήμητρα", "美咲", "Fatima", "Niamh", "Gökçe", "Renée", "Ana María", "Pál", "Ewa", "Tomás", "Ines"),
)
_LAST = (
    *("O'Brien", "Müller", "García-Lorca", "Nowak", "Østergaard", "Demir", "Chen", "van der Berg", "Sørensen"),
    *("Петренко", "Παπαδοπούλου", "田中", "al-Haddad", "Ó Súilleabháin", "Lefèvre", "Kovács", "Smith", "Silva"),
)
_MEALS = ("RO", "BB", "HB", "FB")
_COUNTRIES = ("PRT", "ESP", "GBR", "FRA", "DEU", "IRL", "POL", "TUR", "UKR", "JPN", "")
_CHANNELS = ("Direct", "Online agent", "Travel agency", "Corporate", "Group")
FORMULA_GUEST = '=HYPERLINK("http://example.invalid","Anna Berg")'
"""A guest who is a formula, as any guest may type into a booking form: it must arrive in the sheet as text."""


def season(seed: int, first: date, count: int) -> list[Booking]:
    """Make `count` bookings that arrive within `SEASON_DAYS` days from `first`; ids in the order of making.

    From the same three values come the same bookings: what is over and what is to come is counted from `first` too.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up bookings, not secrets
    return [_booking(dice, number, first) for number in range(1, count + 1)]


def _booking(dice: random.Random, number: int, first: date) -> Booking:
    arrival = first + timedelta(days=_arrival_day(dice))
    nights = dice.choices((0, 1, 2, 3, 4, 5, 7, 10, 14), (1, 12, 20, 18, 10, 8, 14, 4, 3))[0]
    departure = arrival + timedelta(days=nights)
    room = dice.choice(tuple(_ROOMS))
    return Booking(
        id=f"J{number:05}",
        hotel=dice.choice(_HOTELS),
        room_type=room,
        guest=_guest(dice, number),
        arrival=arrival.isoformat(),
        departure=departure.isoformat(),
        nights=nights,
        adults=1 if room == "Single" else 2,
        children=dice.randint(1, 3) if room == "Family" else 0,
        meal=dice.choice(_MEALS),
        country=dice.choice(_COUNTRIES),
        channel=dice.choice(_CHANNELS),
        status=_status(dice, departure, first + _SO_FAR),
        rate=_ROOMS[room],
    )


def _guest(dice: random.Random, number: int) -> str:
    name = f"{dice.choice(_FIRST)} {dice.choice(_LAST)}"
    return FORMULA_GUEST if number == 7 else name


def _arrival_day(dice: random.Random) -> int:
    """A day of the season, the middle of it likelier: seasons have a peak."""
    return int(dice.triangular(0, SEASON_DAYS, SEASON_DAYS * 0.6))


def _status(dice: random.Random, departure: date, now: date) -> str:
    if dice.random() < 0.12:
        return "cancelled"
    if departure > now:
        return "confirmed"
    return "no_show" if dice.random() < 0.05 else "checked_out"
