"""Nets in JSON: a workflow read from a file, and written to one, with its functions by import path.

docs/nets.md shows the form; `placet net --schema` prints its JSON Schema.
"""

from placet.nets.errors import NetError
from placet.nets.reader import parse_net, read_net
from placet.nets.schema import net_schema
from placet.nets.writer import format_net, write_net

__all__ = ["NetError", "format_net", "net_schema", "parse_net", "read_net", "write_net"]
