"""The JSON Schema of nets in JSON, as published with the package."""

from importlib.resources import files


def net_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of the files that `read_net` reads."""
    return files("placet.nets").joinpath("net.schema.json").read_text(encoding="utf-8")
