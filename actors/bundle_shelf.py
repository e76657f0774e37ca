"""The bundles of an engine, on disk: a file each, named by number and digest; the last one of a workflow counts.

DIR/bundles/000001-DIGEST   a bundle, as `bundle.py` has it
"""

from collections.abc import Iterator
from pathlib import Path

from placet.actors.bundle import Bundle, decode_bundle, encode_bundle
from placet.persistence.directory import BUNDLES, sync_directory, write_durably
from placet.persistence.errors import StateUnusable


class BundleShelf:
    """Keeps bundles under a state directory."""

    def __init__(self, state: Path) -> None:
        self._path = state / BUNDLES

    def files(self) -> Iterator[Path]:
        """Yield the files, those that came first first."""
        if self._path.is_dir():
            yield from sorted(one for one in self._path.iterdir() if one.name[:1].isdecimal())

    def read(self, file: Path) -> Bundle:
        """Return the bundle in a file. Raises `BundleUnusable` and `OSError`."""
        return decode_bundle(file.read_bytes())

    def keep(self, bundle: Bundle) -> Path:
        """Write a bundle, so that it is there whole after a power cut, or not at all. Raises `StateUnusable`."""
        try:
            self._path.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self._path.parent)
            known = list(self.files())
            number = int(known[-1].name.partition("-")[0]) + 1 if known else 1
            file = self._path / f"{number:06}-{bundle.digest}"
            write_durably(file, encode_bundle(bundle))
        except OSError as error:
            raise StateUnusable(str(self._path), f"a bundle cannot be kept ({error.strerror}); free space") from error
        return file
