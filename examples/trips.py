"""A courier's day: every parcel is a trip, an instance of its own that the day calls and waits for.

    python examples/trips.py [STATE_DIR]

A trip that fails is called again, as another child; one that fails for good goes back to the depot. While it runs,
`placet list --state STATE_DIR --tree` shows the day and its trips. Run it again: nobody drives twice.
"""

import sys

from placet import Context, FailedFiring, Retry, Runtime, Workflow

Parcel = dict[str, str]

trip = Workflow("trip")
loaded, at_door, handed, refused = trip.places("loaded at_door handed refused")


@trip.transition(loaded >> at_door)
def drive(parcel: Parcel, context: Context) -> Parcel:
    return {**parcel, "trip": context.instance}


@trip.transition(at_door >> (handed | refused))
def ring(parcel: Parcel) -> object:
    if parcel["to"] == "Bob" and not parcel["trip"].endswith(".2"):
        return refused(parcel)  # nobody is at home at the first time
    return refused(parcel) if parcel["to"] == "nobody" else handed(parcel)


day = Workflow("day")
parcels, delivered, failed, returned = day.places("parcels delivered failed returned")
# The call takes what the trip leaves in `handed`: a parcel that was refused is no result, and the call has failed.
day.call(parcels >> delivered, "bring", trip, exits=["handed"], retry=Retry(attempts=2, first_s=0.01), error=failed)


@day.transition(failed >> returned)
def give_back(failure: FailedFiring) -> str:
    return f"back at the depot after {failure.attempts} trips ({failure.type})"


def main(state: str) -> None:
    with Runtime(state, workflows=[day]) as runtime:
        given = [{"to": name} for name in ("Ann", "Bob", "nobody")]
        monday = runtime.spawn(day, {parcels: given}, id="monday")
        result = monday.result(timeout_s=30)
        for parcel in sorted(result["delivered"], key=str):
            print(f"delivered: {parcel}")
        print(*result["returned"])
        for child in monday.children():
            print(f"{child.id}: {child.state.value}, {', '.join(child.marking())}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "state")
