"""`python -m placet`: the command `placet`."""

import sys

from placet.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
