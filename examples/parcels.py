"""A net in JSON: `parcels.net.json` says how parcels go, this file has the functions it names.

Run `python examples/parcels.py [STATE_DIR]`, or `placet run examples/parcels.net.json --state parcels --id may-4
--input '{"arrived": [{"to": "Lisbon", "kilos": 3}]}'`, or draw it: `placet draw examples/parcels.net.json`.
"""

import sys
from pathlib import Path
from typing import TypedDict

from placet import Context, FailedFiring, Runtime
from placet.nets import read_net

NET = Path(__file__).with_suffix(".net.json")


class Parcel(TypedDict):
    """What is to be sent."""

    to: str
    kilos: int


def light(parcel: Parcel) -> bool:
    return parcel["kilos"] <= 5


def heavy(parcel: Parcel) -> bool:
    return not light(parcel)


def send(parcel: Parcel, context: Context) -> str:
    if parcel["to"] == "Atlantis":
        raise LookupError(f"nobody delivers to {parcel['to']}")
    return f"{parcel['to']}: by post, {parcel['kilos']} kg, at attempt {context.attempt}"


def carry(parcel: Parcel) -> str:
    return f"{parcel['to']}: by lorry, {parcel['kilos']} kg"


def give_back(failure: FailedFiring) -> str:
    return f"given back after {failure.attempts} attempts: {failure.message}"


if __name__ == "__main__":
    state = sys.argv[1] if len(sys.argv) > 1 else "parcels"
    parcels = read_net(NET)
    given = [Parcel(to="Lisbon", kilos=3), Parcel(to="Oslo", kilos=40), Parcel(to="Atlantis", kilos=1)]
    with Runtime(state, workflows=[parcels]) as runtime:
        result = runtime.spawn(parcels, {"arrived": given}, id="may-4").result(timeout_s=30)
        for place, values in sorted(result.items()):
            for value in sorted(map(str, values)):
                print(f"{place}: {value}")
