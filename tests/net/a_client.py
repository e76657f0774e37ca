"""A client in a process of its own: spawns instances, waits for their results, and prints one line of JSON."""

import json
import sys

from placet import connect


def main() -> None:
    """Spawn `count` instances of a workflow; say `spawned` once they are on disk, then wait for the results."""
    address, key_file, workflow, place, count = sys.argv[1:]
    with connect(address, key_file=key_file, timeout_s=30) as client:
        instances = [client.spawn(workflow, {place: [n]}, id=f"{workflow}-{n}") for n in range(int(count))]
        print("spawned", flush=True)
        results = {instance.id: instance.result(timeout_s=60) for instance in instances}
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
