"""Who may use this server.

With keys configured, every address but the health checks wants one. Without keys only this machine is served, and a web
page in its browser is not: requests must name a loopback host, and may not come from a foreign origin.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from proxy_core.errors import AuthenticationError, PermissionDeniedError

#: Where clients of the various SDKs put their key.
KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")

OPEN_PATHS = frozenset({"/healthz", "/readyz"})


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own; `host` has no port."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class KeyCheck:
    """Admits requests that carry one of the keys. Only digests are kept, and compared in constant time."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def check(self, headers: Mapping[str, str], peer: str | None) -> str:
        """What tells this client's key apart from others; raises `AuthenticationError` unless a known key is there."""
        presented = _presented_key(headers)
        if not presented:
            raise AuthenticationError(
                "no API key; send one as `Authorization: Bearer …`, `x-api-key` or `x-goog-api-key`", "missing_api_key"
            )
        digest = _digest(presented.encode("latin-1", "replace"))
        matches = [hmac.compare_digest(digest, known) for known in self._digests]  # all of them: no early way out
        if not any(matches):
            raise AuthenticationError("this API key is not known here", "invalid_api_key")
        return digest.hex()


def with_key_of_query(headers: dict[str, str], query: bytes) -> dict[str, str]:
    """The headers, with a key that came as `?key=` in the place where others send theirs.

    https://ai.google.dev/gemini-api/docs/api-key (2026-11)"""
    if b"key=" not in query or any(name in headers for name in KEY_HEADERS):
        return headers
    keys = [value for name, value in parse_qsl(query.decode("latin-1")) if name == "key"]
    return {**headers, "x-goog-api-key": keys[-1]} if keys else headers


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _presented_key(headers: Mapping[str, str]) -> str:
    for name in KEY_HEADERS:
        if value := headers.get(name):
            scheme, _, rest = value.partition(" ")
            return rest.strip() if scheme.lower() == "bearer" else value
    return ""


class LoopbackCheck:
    """Admits requests from this machine, to a loopback host name, that no foreign web page made."""

    def check(self, headers: Mapping[str, str], peer: str | None) -> str:
        """Nothing, for here all are one client; raises `PermissionDeniedError` for a foreign peer, Host or Origin.
        `peer` is None on a Unix socket."""
        if peer is not None and not is_loopback(peer):
            raise PermissionDeniedError("only this machine is served without keys; configure auth.keys", "foreign_peer")
        host = headers.get("host", "")
        if not is_loopback(_host_name(host)):
            raise PermissionDeniedError(
                f"host {host!r} is not served without keys; configure auth.keys", "foreign_host"
            )
        origin = headers.get("origin")
        if origin is not None and not is_loopback(_origin_name(origin)):
            raise PermissionDeniedError(
                f"origin {origin!r} is not served without keys; configure auth.keys", "foreign_origin"
            )
        return ""


def _origin_name(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]


class OpenCheck:
    """Admits everybody: the operator said so."""

    def check(self, headers: Mapping[str, str], peer: str | None) -> str:
        """Admits."""
        return ""
