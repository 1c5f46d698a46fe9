"""Taking the port, before anything slow happens: a port in use is known at once, and early clients wait, not fail."""

from __future__ import annotations

import errno
import socket
import sys
from typing import NamedTuple

from proxy_core.errors import ConfigurationError

_BACKLOG = 2048

_REASONS = {
    errno.EADDRINUSE: "it is already in use; stop what uses it, or take another: --port {other} (0 for any free one)",
    errno.EACCES: "that needs privileges; take a port above 1023: --port 8765",
    errno.EADDRNOTAVAIL: "this machine has no such address; --host takes one that it has, such as 127.0.0.1",
}


class Address(NamedTuple):
    """Where to listen, as the operator wrote it."""

    host: str
    port: int

    @property
    def text(self) -> str:
        """As in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where clients on this machine reach it."""
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - not bound here
        return f"http://{Address(local, self.port).text}"


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen at every address the host name has (`localhost` may have two), at one and the same port.

    Port 0 takes a free one. Raises `ConfigurationError`.
    """
    sockets: list[socket.socket] = []
    for family, address in _resolved(host, port):
        taken = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_listener(family, (address[0], taken, *address[2:])))
        except OSError as error:
            if not (sockets and error.errno == errno.EADDRNOTAVAIL):
                raise _refusal(error, Address(host, taken)) from error
    return sockets


def _resolved(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    """IPv4 first, so that it decides about the port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"there is no host {host!r}; --host takes an address of this machine, such as 127.0.0.1", "no_such_host"
        ) from error
    addresses = [(family, address) for family, _, _, _, address in found]
    return sorted(addresses, key=lambda one: one[0] != socket.AF_INET)


def _listener(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # where it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.set_inheritable(True)
    return listener


def _refusal(error: OSError, address: Address) -> ConfigurationError:
    other = address.port + 1 if address.port < 65535 else address.port - 1
    reason = _REASONS.get(error.errno or 0, str(error.strerror)).format(other=other)
    return ConfigurationError(f"cannot listen on port {address.port} of {address.host}: {reason}", "cannot_listen")
