"""Instances as files, in and out of an engine for clients on other hosts."""

import io
import tempfile
from pathlib import Path

import msgspec

from placet.actors.control.answer import Face
from placet.actors.copies.export import write_export
from placet.actors.copies.import_request import import_face, import_message, imported
from placet.actors.engine_client import EngineClient
from placet.net.answer import ExportedCopy
from placet.net.request import ExportCopyRequest, ImportCopyRequest


def export_copy(client: EngineClient, request: ExportCopyRequest) -> ExportedCopy:
    """Return an instance, as committed at one moment. Raises `NotFound`."""
    file = io.BytesIO()
    with client.store.frozen() as view:
        writer = write_export(view, request.instance, file, path=request.path, history=request.history)
    return ExportedCopy(data=file.getvalue(), entries=writer.entries, records=writer.records)


def import_copy(client: EngineClient, request: ImportCopyRequest, patience_s: float) -> Face:
    """Make a paused instance of a file, and return what a command gets back. Raises as `Runtime.import_from` does."""
    with tempfile.TemporaryDirectory(prefix="placet-") as folder:
        file = Path(folder) / "copy"
        file.write_bytes(request.data)
        message = import_message(file, request.instance, request.by, request.why)
    answer = client.ask(lambda reply: msgspec.structs.replace(message, reply=reply), patience_s)
    return import_face(imported(answer), client.reader)
