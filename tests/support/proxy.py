"""The proxy as its users run it: a process of its own, with a configuration file, on a real socket.

with running_proxy({"backends": {"openai": {…}}}) as proxy:
    client = OpenAI(base_url=proxy.openai_url, api_key="none")

async with running_proxy(config) as proxy: …       # leaves the loop free while the process starts and stops
"""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml

POLL = 0.01


class Got(NamedTuple):
    """A plain HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ProxyStartError(Exception):
    """The process ended, or was not ready in time; the message is all it wrote."""


class RunningProxy:
    """A proxy process; use it as a context manager, plain or async. See `running_proxy`."""

    def __init__(
        self,
        config: Mapping[str, Any],
        python: str | Path = sys.executable,
        env: Mapping[str, str] | None = None,
        until: str = "/readyz",
        within: float = 20,
    ) -> None:
        self.host, self.port = "127.0.0.1", _free_port()
        self.lines: list[str] = []
        self.start_seconds = 0.0
        server = {"host": self.host, "port": self.port, "shutdown_grace_seconds": 1, **config.get("server", {})}
        self._config, self._python = {**config, "server": server}, str(python)
        self._env, self._until, self._within = env or {}, until, within

    @property
    def address(self) -> str:
        """The origin; Anthropic clients take it as their base URL."""
        return f"http://{self.host}:{self.port}"

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI clients."""
        return f"{self.address}/v1"

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def log(self) -> list[dict[str, Any]]:
        """The structured log lines so far."""
        return [json.loads(line) for line in tuple(self.lines) if line.startswith("{")]

    def logged(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The log lines of this event that have these fields."""
        return [
            line
            for line in self.log
            if line.get("event") == event and all(line.get(name) == value for name, value in fields.items())
        ]

    def wait_logged(self, event: str, within: float = 5, **fields: object) -> dict[str, Any]:
        """Wait for such a log line, and return the first."""
        deadline = time.monotonic() + within
        while not (found := self.logged(event, **fields)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {event!r} with {fields} in:\n" + "\n".join(self.lines))
            time.sleep(POLL)
        return found[0]

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Got:
        """GET `path`."""
        return self._request("GET", path, None, headers)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Got:
        """POST `body` as JSON to `path`."""
        return self._request("POST", path, json.dumps(body).encode(), headers)

    def chat(self, model: str, **fields: Any) -> Got:
        """A chat of one line, in Chat Completions."""
        messages = [{"role": "user", "content": "Hi"}]
        return self.post("/v1/chat/completions", {"model": model, "messages": messages, **fields})

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Got:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Got(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def start(self) -> Self:
        """Start the process and wait until `until` answers 200; raises `ProxyStartError`."""
        self._directory = tempfile.TemporaryDirectory(prefix="llm-proxy-")
        path = Path(self._directory.name, "llm-proxy.yaml")
        path.write_text(yaml.safe_dump(self._config), "utf-8")
        began = time.monotonic()
        self._process = subprocess.Popen(
            [self._python, "-m", "proxy_core.cli", "serve", "--host", self.host, "--port", str(self.port)],
            cwd=self._directory.name,
            env={**os.environ, "NO_PROXY": "127.0.0.1", "LLM_PROXY_CONFIG": str(path), **self._env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - began
        return self

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(5)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line.rstrip("\n"))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._within
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._reader.join(5)
                raise ProxyStartError(f"exit code {self._process.returncode}:\n" + "\n".join(self.lines))
            try:
                if self.get(self._until).status == 200:
                    return
            except OSError:
                pass
            time.sleep(POLL)
        raise ProxyStartError(f"{self._until} is not 200 after {self._within} s:\n" + "\n".join(self.lines))


def running_proxy(
    config: Mapping[str, Any],
    python: str | Path = sys.executable,
    env: Mapping[str, str] | None = None,
    until: str = "/readyz",
    within: float = 20,
) -> RunningProxy:
    """A proxy with this configuration, for `with` or `async with`.

    `env` is added to the environment. `until` is the address that must answer 200 before the block begins: `/healthz`
    for a proxy none of whose backends is ready. The port is a free one unless `config` names it.
    """
    return RunningProxy(config, python, env, until, within)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
