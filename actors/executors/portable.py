"""A transition's handler as bytes, so that it can run in another process.

Functions of modules go by name, and the worker imports them; those of `__main__`, lambdas and closures go by
value, with what they refer to.
"""

import hashlib
import sys
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

import cloudpickle  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs] - it has no annotations

from placet.persistence.values import decode_code, encode_code
from placet.petri.behaviour import PARALLEL, PROCESS, Behaviour, Definition, Handler
from placet.petri.errors import DefinitionError
from placet.petri.plan import InputArc, TransitionPlan
from placet.petri.result import compile_arguments, compile_outputs
