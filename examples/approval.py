"""An order that a manager decides on: the program stops at nothing, and waits for a person as long as it takes.

    python examples/approval.py

It asks at the keyboard, and where there is no terminal it leaves the decision to others and ends. Stop it instead of
answering and run it again: the task is still there. Anybody may answer from another terminal, while it waits or
later: `placet tasks`, then `placet approve order-17/manager.4 --why known`.
"""

import sys

from placet import Context, RequestRefused, Retry, Runtime, TaskView, Workflow

Order = dict[str, object]

orders = Workflow("approval")
received = orders.place("received", type=dict)
priced, approved, rejected, shipped = orders.places("priced approved rejected shipped")


def large(order: Order) -> bool:
    return int(str(order["total"])) >= 1000


def small(order: Order) -> bool:
    return not large(order)


@orders.transition(received >> priced, run="inline")
def price(order: Order) -> Order:
    return {**order, "total": int(str(order["count"])) * 900}


orders.transition(priced >> approved, "wave_through", guard=small)
orders.approval("manager", priced, approve=approved, reject=rejected, guard=large)


@orders.transition(approved >> shipped, retry=Retry(attempts=5))
def ship(order: Order, context: Context) -> str:
    return f"{order['count']} {order['article']} to {order['customer']}, parcel {context.firing_id[-2:]}"


def says_yes(task: TaskView) -> bool:
    """Ask whoever is at the keyboard."""
    return input(f"{task.id}: approve {task.value}? [y/n] ").strip().lower().startswith("y")


def main(state: str) -> None:
    with Runtime(state, workflows=[orders]) as runtime:
        order = {"customer": "Ann", "article": "lamps", "count": 2}
        instance = runtime.spawn(orders, {received: [order]}, id="order-17")
        instance.wait_until(["waiting", "completed"], timeout_s=10)
        for task in instance.tasks():
            if not sys.stdin.isatty():
                print(f"no terminal to ask at: placet approve {task.id} --by you --state {state}, then run this again")
                return
            decide = instance.approve if says_yes(task) else instance.reject
            try:
                decide(task.id, by="you", why="asked by the example")
            except RequestRefused as error:
                print(f"somebody was quicker: {error}")
        for place, values in instance.result(timeout_s=30).items():
            print(f"{instance.id}: {place}: {values[0]}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "state")
