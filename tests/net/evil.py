"""What a hostile peer sends."""

import os
import pickle
from pathlib import Path


class RunsCode:
    """Something whose unpickling leaves a folder behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def thespian_frame(value: object) -> bytes:
    """Return a message as Thespian itself would send it: its length, and a pickle."""
    body = pickle.dumps(value)
    return b"%d>" % len(body) + body
