"""What can go wrong with what is on disk. Fields for code, `str` for people; nothing of LMDB leaks."""

from placet.petri.errors import PlacetError, printable

RECOVER = "start again to recover what is committed"
RESTORE = "restore the last good backup"


class StoreError(PlacetError):
    """The disk said no. The state in memory is still good."""

    code = "store"


class StoreFull(StoreError):
    """Disk or store limit used up; nothing was written. It can be retried once there is room."""

    code = "store_full"

    def __init__(self, used_bytes: int, limit_bytes: int) -> None:
        super().__init__(used_bytes, limit_bytes)
        self.used_bytes = used_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        used = f"{self.used_bytes} of {self.limit_bytes} bytes used"
        return f"the store is full ({used}); free disk space or raise the limit"


class StoreFailed(StoreError):
    """An I/O error: what is on disk after it is known only to a fresh process that recovers.

    `what` happened, at `path`, where it is known.
    """

    code = "store_failed"

    def __init__(self, what: str, remedy: str = RECOVER, path: str = "") -> None:
        super().__init__(what, remedy, path)
        self.what = what
        self.remedy = remedy
        self.path = path

    def __str__(self) -> str:
        return _located(self.path, self.what, self.remedy)


class StoreDamaged(StoreError):
    """The file is not what was written: truncated, a bad header, or a checksum that does not match.

    `what` was found, at `path`, where it is known; nothing was changed.
    """

    code = "store_damaged"

    def __init__(self, what: str, remedy: str = RESTORE, path: str = "") -> None:
        super().__init__(what, remedy, path)
        self.what = what
        self.remedy = remedy
        self.path = path

    def __str__(self) -> str:
        return _located(self.path, self.what, self.remedy)


class StoreInUse(StoreError):
    """Another process owns this state directory."""

    code = "store_in_use"

    def __init__(self, path: str, pid: int) -> None:
        super().__init__(path, pid)
        self.path = path
        self.pid = pid

    def __str__(self) -> str:
        process = f"process {self.pid}" if self.pid else "a process that is not known"
        return f"state {self.path} is in use by {process}; stop it, or use another --state"


class FormatTooNew(StoreError):
    """The state was written by a newer Placet."""

    code = "format_too_new"

    def __init__(self, path: str, found: int, supported: int) -> None:
        super().__init__(path, found, supported)
        self.path = path
        self.found = found
        self.supported = supported

    def __str__(self) -> str:
        return f"state {self.path} has format {self.found}, this Placet reads up to {self.supported}; upgrade Placet"


class ValueTooLarge(StoreError):
    """A value is over the hard limit; nothing was written."""

    code = "value_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        sizes = f"a value of {self.size_bytes} bytes is over the limit of {self.limit_bytes}"
        return f"{sizes}; store it elsewhere and pass a reference"


class StateUnusable(StoreError):
    """The path given cannot hold a state: a file, no parent, no permission, or somebody else's directory."""

    code = "state_unusable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} cannot be used as a state: {self.reason}"


class StateMissing(StoreError):
    """There is no state at this path, and reading does not make one."""

    code = "state_missing"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"there is no state at {self.path}; run a workflow there first, or use another --state"


class FormatTooOld(StoreError):
    """The state was written by a Placet so old that no upgrade step is left for it."""

    code = "format_too_old"

    def __init__(self, path: str, found: int, supported: int) -> None:
        super().__init__(path, found, supported)
        self.path = path
        self.found = found
        self.supported = supported

    def __str__(self) -> str:
        return f"state {self.path} has format {self.found}, this Placet needs {self.supported}; use an older one first"


class ValueNotEncodable(PlacetError):
    """A token's value cannot be turned into bytes. `reason` is what its type said."""

    code = "value_not_encodable"

    def __init__(self, type_name: str, reason: str) -> None:
        super().__init__(type_name, reason)
        self.type_name = type_name
        self.reason = reason

    def __str__(self) -> str:
        return f"a value of type {self.type_name} cannot be stored ({self.reason}); give plain data instead"


class ValueNotLoadable(PlacetError):
    """Bytes cannot be turned back into a token's value here. The bytes stay as they are."""

    code = "value_not_loadable"

    def __init__(self, type_name: str, reason: str) -> None:
        super().__init__(type_name, reason)
        self.type_name = type_name
        self.reason = reason

    def __str__(self) -> str:
        return f"a stored value of type {self.type_name} cannot be loaded ({self.reason}); make its type importable"


def _located(path: str, what: str, remedy: str) -> str:
    return printable(f"{path}: {what}; {remedy}" if path else f"{what}; {remedy}")
