"""The model process: `python -m llm_proxy_local.worker`, started by `process.py` and by nobody else.

A process of its own, because the binding holds the interpreter's lock while it loads (0.4 s for the smallest model,
much longer for others) and, when it is shut down in the middle of a prompt, to the end of the batch (5 s were seen):
either would stall every request of the proxy. It ends when its standard input does, so it never outlives the proxy.

Lines of JSON on standard input: first the settings (`ModelSettings`), then `{"id": 1, "body": {…}}` to generate and
`{"cancel": 1}` to stop. On standard output: `{"ready": true}` or `{"failed": "why"}`, then for each id any number of
`{"id": 1, "chunk": {…}}` (Chat Completions chunks of llama.cpp, or `{"error": {…}}`) and one `{"id": 1, "done": true}`.
Messages of llama.cpp go to standard error.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO

#: llama.cpp's log level that writes errors only.
_ERRORS_ONLY = 1


def main() -> None:
    """Load the model, then answer until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the proxy's to handle
    replies = Replies(_private_stdout())
    settings = json.loads(sys.stdin.buffer.readline() or b"{}")
    try:
        server = load(settings)
    except Exception as error:  # noqa: BLE001  # the proxy reports it
        replies.send({"failed": str(error)})
    else:
        replies.send({"ready": True})
        Worker(server, replies).serve(sys.stdin.buffer)
    leave()


def leave() -> None:
    """End the process now; an orderly shutdown of llama.cpp would wait for the batch it computes."""
    os._exit(0)


def _private_stdout() -> BinaryIO:
    """The standard output for our lines alone: whatever the native code prints goes to standard error."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(descriptor, "wb")


def load(settings: dict[str, Any]) -> Any:
    """The model server; raises when the file is not a model that llama.cpp can run."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["model_path"]
    params.model_alias = {"local"}
    params.n_parallel = settings["parallel"]
    params.n_ctx = settings["context_size"] * settings["parallel"]
    params.n_batch = params.n_ubatch = settings["batch_size"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.cache_ram_mib = 0  # by default up to 8 GiB of old prompts are kept
    params.warmup = False  # would double the time to load
    params.verbosity = _ERRORS_ONLY
    return _without_listener(xllamacpp, params)


def _without_listener(xllamacpp: Any, params: Any) -> Any:
    """The server, which always brings an HTTP listener along, with that closed to everyone.

    It gets a key that nobody knows and, where there are Unix sockets, an address that is gone afterwards.
    """
    params.api_keys = [secrets.token_hex(32)]
    params.ui = False
    params.n_threads_http = 1
    if os.name != "posix":
        return xllamacpp.Server(params)
    folder = tempfile.mkdtemp(prefix="llm-proxy-local-")
    params.hostnames = [str(Path(folder, "listener.sock"))]
    try:
        return xllamacpp.Server(params)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Replies:
    """The lines to the proxy, from any thread."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        self._write(json.dumps(message).encode())

    def send_chunk(self, number: int, chunk: bytes) -> None:
        """`chunk` is JSON in one line."""
        self._write(b'{"id": %d, "chunk": %b}' % (number, chunk))

    def _write(self, line: bytes) -> None:
        try:
            with self._lock:
                self._out.write(line + b"\n")
                self._out.flush()
        except OSError:  # the proxy is gone
            leave()


class Worker:
    """Carries out what the proxy asks; each generation has a thread, which sleeps while llama.cpp computes."""

    def __init__(self, server: Any, replies: Replies) -> None:
        self._server = server
        self._replies = replies
        self._cancelled: set[int] = set()

    def serve(self, requests: BinaryIO) -> None:
        """Until the proxy closes the pipe."""
        for line in requests:
            message = json.loads(line)
            if "cancel" in message:
                self._cancelled.add(message["cancel"])
            else:
                threading.Thread(target=self._generate, args=(message["id"], message["body"]), daemon=True).start()

    def _generate(self, number: int, body: dict[str, Any]) -> None:
        def take(chunk: bytes) -> bool:
            """Called per token, and per batch of the prompt; True makes llama.cpp stop."""
            if number in self._cancelled:
                return True
            self._replies.send_chunk(number, chunk)
            return False

        try:
            self._server.handle_chat_completions(json.dumps(body).encode(), take)
        except Exception as error:  # noqa: BLE001  # the proxy turns it into an answer
            code = 400 if isinstance(error, ValueError) else 500
            take(json.dumps({"error": {"code": code, "message": str(error)}}).encode())
        self._cancelled.discard(number)
        self._replies.send({"id": number, "done": True})


if __name__ == "__main__":
    main()
