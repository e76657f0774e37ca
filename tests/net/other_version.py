"""`placet`, speaking other versions of its protocols: `SEAL`, `WIRE` and `OLDEST` in the environment say which.

Its engines' processes run this file as well before they begin.
"""

import os
import sys

from placet.net import seal, wire

sealing = int(os.environ.get("SEAL", seal.VERSION))
seal.__dict__.update(VERSION=sealing, MAGIC=seal.NAME + bytes([sealing]))  # they are final: that is what is tried here
wire.__dict__.update(WIRE_VERSION=int(os.environ.get("WIRE", wire.WIRE_VERSION)))
wire.__dict__.update(OLDEST_VERSION=int(os.environ.get("OLDEST", wire.OLDEST_VERSION)))

if __name__ == "__main__":
    from placet.cli.main import main

    sys.exit(main())
