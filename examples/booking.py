"""A trip: flight, hotel and car are booked at once; where one cannot be had, the others are given back.

Run `python examples/booking.py [STATE_DIR]`; run it again, and nothing is booked twice.
"""

import sys
from functools import partial
from typing import TypedDict

from placet import Context, Runtime, Workflow


class Trip(TypedDict):
    """Where a person wants to go, and what is sold out there."""

    city: str
    sold_out: list[str]


Tickets = dict[str, str]  # ticket by part of the trip; "" where there was none left


def reserve(part: str, trip: Trip, context: Context) -> Tickets:
    return {part: "" if part in trip["sold_out"] else f"{part} to {trip['city']} ({context.firing_id})"}


def gather(flight: Tickets, hotel: Tickets, car: Tickets) -> Tickets:
    return flight | hotel | car


def all_had(tickets: Tickets) -> bool:
    return all(tickets.values())


def some_missing(tickets: Tickets) -> bool:
    return not all_had(tickets)


def confirm(tickets: Tickets) -> str:
    return f"booked {', '.join(tickets.values())}"


def give_back(part: str, tickets: Tickets) -> str:
    return f"gave back {tickets[part]}" if tickets[part] else f"no {part} left"


def conclude(*said: str) -> str:
    return f"not booked: {', '.join(said)}"


booking = Workflow("booking")
wanted, flight, hotel, car = booking.places("wanted flight hotel car")
flight_answer, hotel_answer, car_answer, answered = booking.places("flight_answer hotel_answer car_answer answered")
flight_undo, hotel_undo, car_undo = booking.places("flight_undo hotel_undo car_undo")
flight_undone, hotel_undone, car_undone = booking.places("flight_undone hotel_undone car_undone")
booked, cancelled = booking.places("booked cancelled")

booking.transition(wanted >> (flight & hotel & car), "ask")
for name in ("flight", "hotel", "car"):
    booking.transition(booking[name] >> booking[f"{name}_answer"], f"reserve_{name}", handler=partial(reserve, name))
    undo = booking[f"{name}_undo"] >> booking[f"{name}_undone"]
    booking.transition(undo, f"give_back_{name}", handler=partial(give_back, name))
booking.transition((flight_answer & hotel_answer & car_answer) >> answered, handler=gather, run="inline")
booking.transition(answered >> booked, handler=confirm, guard=all_had)
booking.transition(answered >> (flight_undo & hotel_undo & car_undo), "cancel", guard=some_missing)
booking.transition((flight_undone & hotel_undone & car_undone) >> cancelled, handler=conclude, run="inline")


def main(state: str) -> None:
    with Runtime(state, workflows=[booking]) as runtime:
        for city, sold_out in (("Lisbon", []), ("Oslo", ["hotel"])):
            trip = Trip(city=city, sold_out=sold_out)
            instance = runtime.spawn(booking, {wanted: [trip]}, id=f"trip-to-{city}")
            for place, values in instance.result(timeout_s=30).items():
                print(f"{instance.id}: {place}: {values[0]}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "state")
