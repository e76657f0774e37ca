"""What can go wrong with copies of a state or of an instance: exports, backups, restoring."""

from placet.persistence.errors import StoreError
from placet.petri.errors import printable


class CopyExists(StoreError):
    """There is a file of that name already; nothing was written."""

    code = "copy_exists"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return printable(f"{self.path} exists already and is left as it is; choose another name")


class CopyFailed(StoreError):
    """A copy could not be written; nothing is there under its name."""

    code = "copy_failed"

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(path, reason, remedy)
        self.path = path
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return printable(f"{self.path} was not written: {self.reason}; {self.remedy}")


class BadCopy(StoreError):
    """A file is no export, or no backup, that can be used: something else, cut off, damaged, or too new."""

    code = "bad_copy"

    def __init__(self, path: str, reason: str, remedy: str = "use another copy") -> None:
        super().__init__(path, reason, remedy)
        self.path = path
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return printable(f"{self.path} cannot be used: {self.reason}; {self.remedy}")


class StateOccupied(StoreError):
    """There is a state where a backup should be restored to; it is left as it is."""

    code = "state_occupied"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return printable(
            f"there is a state at {self.path}; restore elsewhere, or give --force-replace to move it aside"
        )
