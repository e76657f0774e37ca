"""An event loop that is given the time it needs, and no more."""

import asyncio


async def once_round() -> None:
    """Let the loop go round once."""
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await turned.wait()
