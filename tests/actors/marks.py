"""What some tests need."""

import pytest

from placet.actors.compiled import IS_COMPILED

needs_source = pytest.mark.skipif(IS_COMPILED, reason="the methods of compiled actors cannot be replaced")
