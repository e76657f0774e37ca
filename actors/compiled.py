"""Whether the kernel is compiled, as wheels for a platform bring it, or runs as it stands in its sources."""

from types import FunctionType
from typing import Final

from placet.actors.kernel import Kernel

IS_COMPILED: Final = not isinstance(Kernel.run, FunctionType)
KERNEL: Final = "compiled" if IS_COMPILED else "source"
