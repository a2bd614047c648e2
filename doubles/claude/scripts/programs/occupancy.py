"""Work out each hotel's occupancy by month from bookings.csv into occupancy.csv, and print what it came to.

A room night counts in the month of its night; stays that were cancelled or never came count nothing. A hotel's rooms
are the most that it had occupied in any one night.
"""

import calendar
import collections
import csv
import datetime as dt
import pathlib
import sys

Nights = collections.Counter[tuple[str, dt.date]]


def count(path: pathlib.Path) -> Nights:
    """Return the occupied rooms of each hotel and night."""
    occupied: Nights = collections.Counter()
    with path.open(newline="", encoding="utf-8") as source:
        for row in csv.DictReader(source):
            if row["status"] in ("cancelled", "no_show"):
                continue
            night, departure = map(dt.date.fromisoformat, (row["arrival"], row["departure"]))
            while night < departure:
                occupied[row["hotel"], night] += 1
                night += dt.timedelta(days=1)
    return occupied


def table(occupied: Nights) -> list[tuple[str, str, int, int, int, str]]:
    """Return the rows hotel, month, room_nights, rooms, nights, occupancy_percent, sorted by hotel and month."""
    rooms: dict[str, int] = {}
    months: collections.Counter[tuple[str, str]] = collections.Counter()
    for (hotel, night), count_of_night in occupied.items():
        rooms[hotel] = max(rooms.get(hotel, 0), count_of_night)
        months[hotel, f"{night:%Y-%m}"] += count_of_night
    rows = []
    for (hotel, month), room_nights in sorted(months.items()):
        nights = calendar.monthrange(*map(int, month.split("-")))[1]
        there = rooms[hotel] * nights
        tenths = (2000 * room_nights + there) // (2 * there)  # half up, in whole numbers
        rows.append((hotel, month, room_nights, rooms[hotel], nights, f"{tenths // 10}.{tenths % 10}"))
    return rows


def main() -> None:
    """Read, count, write and tell."""
    rows = table(count(pathlib.Path("bookings.csv")))
    with pathlib.Path("occupancy.csv").open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(["hotel", "month", "room_nights", "rooms", "nights", "occupancy_percent"])
        writer.writerows(rows)
    by_month: collections.Counter[str] = collections.Counter()
    for _hotel, month, room_nights, *_rest in rows:
        by_month[month] += room_nights
    busiest = min(by_month, key=lambda month: (-by_month[month], month), default="none")
    sys.stdout.write(f"total: {sum(by_month.values())} room nights in {len(by_month)} months\n")
    sys.stdout.write(f"busiest: {busiest} with {by_month[busiest]} room nights\n")


if __name__ == "__main__":
    main()
