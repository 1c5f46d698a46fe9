"""`python -m tests.fault_upstream --port 0`: print the port, then serve until interrupted."""

import argparse
import asyncio
import contextlib
import sys

from tests.fault_upstream.server import FaultUpstream


async def _serve(host: str, port: int) -> None:
    async with FaultUpstream(host, port) as upstream:
        sys.stdout.write(f"{upstream.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.host, options.port))
