"""A provider that closes its idle connections just as the next request comes: what every balancer does now and then."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

RESET_AT_ONCE = struct.pack("ii", 1, 0)
ANSWER = b'{"id":"1","object":"chat.completion","model":"m","choices":[]}'
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)


class ForgetfulUpstream:
    """Answers the first request of every connection, and ends the connection unread when the next one arrives.

    `end`: `fin`, `rst`, or `half`, which sends the beginning of an answer first. `answered` and `ignored` count.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.end = "fin"
        self.answered = self.ignored = 0

    def serve(self) -> None:
        """Accept until `stop`."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._answer(connection)
            if connection.recv(1, socket.MSG_PEEK):
                self.ignored += 1
                self._end(connection)

    def _answer(self, connection: socket.socket) -> None:
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65536)
        self.answered += 1
        connection.sendall(RESPONSE)

    def _end(self, connection: socket.socket) -> None:
        if self.end == "half":
            connection.sendall(RESPONSE[:20])
        if self.end == "fin":
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            while connection.recv(65536):  # read on, or the kernel would reset the connection
                pass
        else:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)


@contextlib.contextmanager
def forgetful_upstream() -> Iterator[ForgetfulUpstream]:
    """One, on a thread."""
    upstream = ForgetfulUpstream()
    thread = threading.Thread(target=upstream.serve, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.stop()
        thread.join(5)
