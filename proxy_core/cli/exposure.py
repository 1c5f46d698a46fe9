"""The rule that nobody opens the proxy to other machines by mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy_core.config import AppConfig


def exposure_problem(config: AppConfig, place: str | None = None) -> str | None:
    """Why `serve` refuses the host, or None; `place` is where the host was given, if not in the file."""
    from proxy_core.server.auth import is_loopback

    server = config.server
    if is_loopback(server.host) or config.auth.keys or server.allow_unauthenticated:
        return None
    where = place or config.where("server", "host")
    return (
        f"{where}: other machines can reach {server.host}, and no keys are configured; "
        "configure auth.keys, or let everybody in with --allow-unauthenticated (server.allow_unauthenticated: true)"
    )
