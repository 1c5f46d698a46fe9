"""What `serve` says when it is ready: where it is, what it offers, what is wrong, and how to try it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from proxy_core.cli.listen import Address
from proxy_core.server.auth import is_loopback

if TYPE_CHECKING:
    from proxy_core.gateway import Gateway
    from proxy_core.host.discovery import Finding
    from proxy_core.server.app import Application

_FEW = 8
_QUESTION = "Say hello in five words."
#: Models that do not chat, by the words their names usually have; they make no good example.
_NO_CHAT = re.compile(r"embed|moderation|rerank|tts|speech|transcri|audio|image|realtime", re.IGNORECASE)


def banner(application: Application, address: Address, version: str) -> str:
    """The whole text."""
    title = click.style(f"llm-proxy {version} is ready at {address.url}", bold=True)
    facts = [f"  {name:<9} {value}" for name, value in _facts(application, address)]
    word = click.style("warning", fg="yellow")
    warnings = [f"  {word}   {text}" for text in _warnings(application)]
    return "\n".join(["", title, "", *facts, *warnings, "", *_trial(application, address), ""])


def _facts(application: Application, address: Address) -> Iterator[tuple[str, str]]:
    if not address.url.endswith(address.text):
        yield "listening", address.text
    yield "models", models_line(application.gateway.router.names())
    yield "config", application.config.source.path or "defaults (there is no llm-proxy.yaml)"
    yield "help", "llm-proxy models | doctor | config show | --help"


def models_line(names: list[str]) -> str:
    """All when they are few, else how many and the first ones."""
    if not names:
        return "none listed"
    if len(names) <= _FEW:
        return ", ".join(names)
    return f"{len(names)}: {', '.join(names[:_FEW])}, … (all: llm-proxy models)"


def _warnings(application: Application) -> Iterator[str]:
    config, registry = application.config, application.gateway.registry
    if not config.auth.keys and not is_loopback(config.server.host):
        yield "everybody who can reach this machine may use the proxy; configure auth.keys to change that"
    if not registry.backends:
        yield "no backend is enabled, so nothing can be answered; `llm-proxy doctor` says why"
    for name, backend in registry.backends.items():
        if backend.problem:
            yield f"backend {name!r}: {backend.problem}"
        elif not backend.ready:
            yield f"backend {name!r} is still getting ready"
    for finding in application.findings:
        if finding.problem:
            yield plugin_warning(finding)


def plugin_warning(finding: Finding) -> str:
    """How a plugin that is not loaded is told of."""
    return f"plugin {finding.described} is not loaded: {finding.problem}"


def _trial(application: Application, address: Address) -> list[str]:
    keyed = bool(application.config.auth.keys)
    model = example_model(application.gateway)
    if model is None:
        return []
    heading = "Try it" + (", with one of auth.keys in $LLM_PROXY_KEY:" if keyed else ":")
    if model.endswith(":MODEL"):
        heading += " (no backend lists its models; put the name of one for MODEL)"
    curl = f"  {curl_line(address.url, model, keyed)}"
    return [heading, "", curl, "", "or in Python:", "", *_sdk(address, model, keyed)]


def example_model(gateway: Gateway) -> str | None:
    """A model string that is answered, as far as can be known."""
    names = [name for name in gateway.router.names() if not _NO_CHAT.search(name)]
    usable = [name for name in names if _is_usable(name, gateway)]
    backends = [f"{name}:MODEL" for name in gateway.registry.backends]
    return next(iter([*usable, *backends]), None)


def _is_usable(name: str, gateway: Gateway) -> bool:
    from proxy_core.errors import ModelNotFoundError

    try:
        target = gateway.router.resolve(name)
    except ModelNotFoundError:
        return False
    return target.model in gateway.registry.backends[target.backend].models


def curl_line(url: str, model: str, keyed: bool) -> str:
    """One line for a POSIX shell."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": _QUESTION}]}, ensure_ascii=False)
    key = ' -H "Authorization: Bearer $LLM_PROXY_KEY"' if keyed else ""
    return f"curl {url}/v1/chat/completions{key} -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def _sdk(address: Address, model: str, keyed: bool) -> list[str]:
    key = 'os.environ["LLM_PROXY_KEY"]' if keyed else '"unused"'
    code = [
        *(["import os"] if keyed else []),
        "from openai import OpenAI",
        f'client = OpenAI(base_url="{address.url}/v1", api_key={key})',
        f'messages = [{{"role": "user", "content": "{_QUESTION}"}}]',
        f"answer = client.chat.completions.create(model={json.dumps(model, ensure_ascii=False)}, messages=messages)",
        "print(answer.choices[0].message.content)",
    ]
    return [f"  {line}" for line in code]
