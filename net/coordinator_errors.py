"""What can go wrong with what a cluster agrees on. Fields for code, `str` for people: what happened; what to do."""

from placet.net.errors import NetworkError
from placet.petri.errors import printable


class LeaseGone(NetworkError):
    """A key was to hang on a lease that has ended, or never was. Nothing was changed."""

    code = "lease_gone"

    def __init__(self, lease: int) -> None:
        super().__init__(lease)
        self.lease = lease

    def __str__(self) -> str:
        return f"lease {self.lease} has ended, and nothing was changed; ask for another one"


class CoordinatorFailed(NetworkError):
    """The coordinator could not do what it was asked. Nothing was changed."""

    code = "coordinator_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return printable(f"the coordinator has changed nothing: {self.reason}; ask again once that is mended")


class CoordinatorClosed(NetworkError):
    """Nobody waits for the coordinator's answer any more. Whether it has done what it was asked is not known."""

    code = "coordinator_closed"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"the coordinator is closed, and whether this was done is not known: {self.what}; read it again"


class BadRecord(NetworkError):
    """What stands under a key of the cluster's table cannot be used here."""

    code = "bad_record"

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        super().__init__(key, problem, remedy)
        self.key = key
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return printable(f"{self.key} in the cluster's table: {self.problem}; {self.remedy}")
