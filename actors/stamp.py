"""The engine's stamp: written with every batch, read at the next start."""

import msgspec

from placet.persistence.keys import STAMP
from placet.persistence.store import View


class Stamp(msgspec.Struct, array_like=True):
    """Where the engine stood when it last committed."""

    engine_s: float = 0.0  # engine time
    wall_s: float = 0.0  # wall clock at the same moment, seconds since 1970
    history: int = 0  # sequence number of the last history record
    stopped_s: float = 0.0  # engine time of the last clean stop: what began by then never counts as lost
    sent: int = 0  # number of the last message put into the outbox


encode_stamp = msgspec.msgpack.Encoder().encode
decode_stamp = msgspec.msgpack.Decoder(Stamp).decode


def read_stamp(view: View) -> Stamp:
    """Return the stamp of the last commit, or a new one where there has been none."""
    data = view.get(STAMP)
    return Stamp() if data is None else decode_stamp(data)
