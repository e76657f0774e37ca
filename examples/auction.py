"""An auction as an actor: bids are its messages, a timer is its hammer, and an instance writes the invoice.

    python examples/auction.py

Kill it between two bids and run it again: the auction goes on, no bid counts twice, and the hammer falls all the same.
"""

import sys
from dataclasses import dataclass
from typing import assert_never

from placet import Actor, Retry, Runtime, Workflow

invoices = Workflow("invoices")
due, written = invoices.places("due written")


@invoices.transition(due >> written)
def write(sale: tuple[str, int]) -> str:
    buyer, price = sale
    return f"{buyer} pays {price}"


@dataclass(frozen=True)
class Bid:
    """Answered by how it stands."""

    bidder: str
    price: int


@dataclass(frozen=True)
class Hammer:
    """Falls when nobody has bid for a while."""


class Auction(Actor[Bid | Hammer]):
    """Sells to who bids most."""

    retry = Retry(attempts=3)

    def started(self) -> None:
        """Wait for the first bid."""
        self.after(5.0, Hammer(), name="hammer")

    def receive(self, message: Bid | Hammer) -> str | None:
        """Take a bid, or sell."""
        match message:
            case Bid(bidder=bidder, price=price):
                if price <= self.state.get("price", 0):
                    return "too low"
                self.state.update(bidder=bidder, price=price)
                self.after(1.0, Hammer(), name="hammer")  # in place of the one before
                return "leading"
            case Hammer():
                sale = self.state["bidder"], self.state["price"]
                self.spawn(invoices, {due: [sale]}, id=f"{self.id}-invoice")
                self.stop(sale)
                return None
        assert_never(message)


def main(state: str) -> None:
    with Runtime(state, workflows=[Auction, invoices]) as runtime:
        lamp = runtime.start(Auction, id="lamp")
        for bidder, price in (("ann", 50), ("bob", 40), ("bob", 60)):
            answer = lamp.ask(Bid(bidder, price), request_id=f"{bidder}-{price}", timeout_s=10)
            print(f"{bidder} bids {price}: {answer}")
        ended = lamp.watch().result(timeout=30)
        print(f"{ended.reason}: {lamp.instance.result()['stopped'][0]}")
        print(runtime.instance("lamp-invoice").result(timeout_s=30)["written"][0])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "state")
