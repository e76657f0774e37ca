"""A step that needs a GPU waits for a host that has one; the one after it may run on any.

Run `python examples/training.py [STATE_DIR]`: a runtime without a GPU comes first, then one that has what is asked for.
On a cluster, with `python examples/training.py HOST:PORT KEY_FILE` and a deploy key, it runs on a node that was started
with `--capability gpu=1`.
"""

import sys

from placet import InstanceState, Remote, Requires, Runtime, Workflow, connect

training = Workflow("training", version="1")
samples = training.place("samples", type=list)
model = training.place("model", type=float)
checked = training.place("checked", type=str)


@training.transition(samples >> model, requires=Requires(gpu=1))
def train(values: list[float]) -> float:
    """Fit the simplest of all models: the mean."""
    return sum(values) / len(values)


@training.transition(model >> checked, run=Remote("thread"))
def check(mean: float) -> str:
    """Judge it, wherever there is room."""
    return f"the model says {mean:.2f}"


def main(where: str, key_file: str = "") -> None:
    """Train a model, here or on the cluster of the node at `where`."""
    given = {samples: [[1.0, 2.0, 4.5]]}
    if key_file:
        with connect(where, key_file=key_file) as client:
            print(client.spawn(training, given, id="tuesday").result(timeout_s=60)["checked"][0])
        return
    with Runtime(where, [training]) as runtime:
        runtime.spawn(training, given, id="tuesday").wait_until({InstanceState.WAITING, InstanceState.COMPLETED})
    with Runtime(where, [training], capabilities={"gpu": 1}) as runtime:
        instance = runtime.instance("tuesday")
        print(instance.result(timeout_s=30)["checked"][0])
        for _, record in instance.history():
            if record.kind == "waiting" and isinstance(record.detail, dict):
                print(f"it waited: {record.detail['reason']}")


if __name__ == "__main__":
    main(*(sys.argv[1:3] or ["training"]))
