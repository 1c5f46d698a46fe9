"""The shape of the code: who may import whom, who may name a vendor, and what connector authors can count on."""

import ast
import dataclasses
import inspect
import io
import os
import re
import subprocess
import sys
import tokenize
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy_core import api

ROOT = Path(__file__).parents[1]
CORE = ROOT / "proxy_core"

VENDORS = re.compile(
    r"anthropic|azure|bedrock|cerebras|claude|cohere|copilot|deepseek|fireworks|gemini|goog|grok|groq|huggingface"
    r"|mistral|moonshot|ollama|openai|openrouter|perplexity|qwen|togetherai|vertex|vllm|x\.ai\b",
    re.IGNORECASE,
)
LINK = re.compile(r"https?://[^\s)]+")  # a source, as documentation demands it

#: What names a vendor outside formats/, and why it may.
MAY_NAME_A_VENDOR = {
    "config.py": "describes the headers in which clients send their key",
    "cli/banner.py": "prints a snippet of Python for a client's SDK",
    "cli/plugins.py": "names a connector to begin with",
    "server/auth.py": "lists the headers in which clients of all kinds send their key",
}

HEAVY = ["aiohttp", "httpx", "rich", "starlette", "structlog", "uvicorn", "yaml"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, where the core and every connector can be imported."""
    path = os.pathsep.join(map(str, [ROOT, *sorted(ROOT.glob("plugins/*"))]))
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=50)


# who imports whom


def test_imports_point_one_way() -> None:
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = run(sys.executable, "-c", lint, "--no-cache")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "0 broken" in done.stdout


def test_connectors_import_nothing_of_the_core_but_its_api() -> None:
    """Also in functions, under TYPE_CHECKING, and in connectors that import-linter was not told of."""
    sources = list(ROOT.glob("plugins/*/llm_proxy_*/**/*.py"))
    assert sources
    deeper = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources
        for name in imported_by(path)
        if name.partition(".")[0] == "proxy_core" and name != "proxy_core.api"
    ]
    assert deeper == []


def imported_by(path: Path) -> Iterator[str]:
    """The modules that a file imports from, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield str(node.module)


def test_the_api_imports_no_library_that_a_connector_may_not_need() -> None:
    done = run(sys.executable, "-c", "import sys, proxy_core.api; print(*sys.modules, sep='\\n')")
    assert done.returncode == 0, done.stderr
    assert sorted(set(HEAVY) & set(done.stdout.split())) == []


CONNECTORS = ["llm_proxy_anthropic", "llm_proxy_gemini", "llm_proxy_local", "llm_proxy_openai"]


@pytest.mark.parametrize("connector", CONNECTORS)
def test_our_own_connectors_import_cheaply(connector: str) -> None:
    done = run(sys.executable, "-c", f"import sys, {connector}; print(*sys.modules, sep='\\n')")
    assert done.returncode == 0, done.stderr
    assert sorted({*HEAVY, "openai", "anthropic", "xllamacpp"} & set(done.stdout.split())) == []


# vendors


def vendors_in(path: Path) -> list[str]:
    """Every identifier, string and comment that names a vendor, with its line."""
    kinds = {tokenize.NAME, tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
    named = [token for token in tokens if token.type in kinds and VENDORS.search(LINK.sub("", token.string))]
    return [f"{path.relative_to(CORE)}:{token.start[0]}: {token.string[:80]}" for token in named]


def test_the_core_knows_formats_and_no_vendors() -> None:
    sources = [path for path in CORE.rglob("*.py") if "formats" not in path.relative_to(CORE).parts]
    found = {path.relative_to(CORE).as_posix(): vendors_in(path) for path in sources}
    named = {name: places for name, places in found.items() if places}
    assert [place for name, places in named.items() if name not in MAY_NAME_A_VENDOR for place in places] == []
    assert sorted(named) == sorted(MAY_NAME_A_VENDOR)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import openai", True),
        ("def ask_claude(): ...", True),
        ("KIND = 'x-goog-api-key'", True),
        ("# as Gemini does", True),
        ('"""Groq\'s way."""', True),
        ('f"{1} mistral"', True),
        ("# https://docs.mistral.ai/api", False),
        ('"""A model of a provider."""', False),
    ],
)
def test_the_rule_about_vendors_sees_what_it_should(tmp_path: Path, source: str, names: bool) -> None:
    file = tmp_path / "file.py"
    file.write_text(source + "\n")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    assert any(VENDORS.search(LINK.sub("", token.string)) for token in tokens) is names


# the public API


def isort_key(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then the rest, as ruff sorts them."""
    return not name.isupper(), name[0].islower(), name


def test_the_public_names_are_sorted_and_exactly_what_the_api_imports() -> None:
    assert api.__all__ == sorted(api.__all__, key=isort_key)
    assert len(api.__all__) == len(set(api.__all__))
    public = {
        name
        for name, value in vars(api).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    }
    assert public == set(api.__all__)


def test_the_public_names_are_those_of_the_last_release() -> None:
    """A name that goes is a break; one that comes is a promise. Whoever means it changes this list too."""
    assert set(api.__all__) == set(PUBLIC.split())


PUBLIC = """
    AppConfig AuthenticationError BackendCapabilities BackendError BackendOptions BackendPluginDefinition
    BackendTimeoutError ChatMessage Choice Citation CitationDelta ClientDisconnectedError ClientRoute
    ConfigurationError DomainRequest DomainResponse EmbeddingRequest EmbeddingResponse ErrorContext ErrorInfo Event
    Finish FinishReason HTTPBackend Identity InvalidRequestError LLMBackend LLMProxyError LOOP_GUARD_HEADER
    LoopDetectedError MediaDelta MediaPart Message ModelCard ModelNotFoundError NativeDelta NativePart
    PLUGIN_API_VERSION Part PermissionDeniedError PluginCompatibility PluginError ProcessedResponse RateLimitError
    ReasoningDelta ReasoningPart ReasoningSettings RefusalDelta RefusalPart RenderOptions RequestContext
    RequestTooLargeError ResponseContext ResponseEnvelope ResponseFormat ResponseProcessor ServiceUnavailableError
    StreamChunk StreamEncoder StreamEndContext StreamInterruptedError StreamingResponseEnvelope
    StreamingResponseHandle TextDelta TextPart TokenCount Tool ToolCallDelta ToolCallPart ToolChoice ToolResultPart
    TranslationService Usage WireFormat WireRequest ensure_loop_guard_header hookimpl
"""


def parameters(function: Any) -> list[str]:
    """The parameters by name, with `*` before those that take the rest."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(each.kind, "") + name for name, each in inspect.signature(function).parameters.items()]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (api.LLMBackend.__init__, ["self", "config", "response_processor"]),
        (api.LLMBackend.initialize, ["self", "**kwargs"]),
        (
            api.LLMBackend.chat_completions,
            ["self", "request_data", "processed_messages", "effective_model", "identity", "**kwargs"],
        ),
        (api.LLMBackend.count_tokens, ["self", "request_data", "effective_model", "identity", "**kwargs"]),
        (api.LLMBackend.embed, ["self", "request_data", "effective_model", "identity", "**kwargs"]),
        (api.LLMBackend.get_available_models, ["self"]),
        (api.HTTPBackend.__init__, ["self", "client", "config", "translation_service"]),
        (api.TranslationService.from_domain_request, ["self", "request", "target_format"]),
        (api.TranslationService.to_domain_response, ["self", "response", "source_format"]),
        (api.TranslationService.to_domain_stream_chunk, ["self", "chunk", "source_format"]),
        (api.TranslationService.to_domain_request, ["self", "body", "source_format"]),
        (api.TranslationService.register, ["self", "wire_format"]),
        (api.ensure_loop_guard_header, ["headers"]),
        (api.Identity.get_resolved_headers, ["self", "request_headers"]),
        (api.ResponseEnvelope, ["content", "status_code", "headers", "usage"]),
        (api.ProcessedResponse, ["content", "usage", "metadata"]),
        (api.StreamingResponseHandle, ["iterator", "cancel_callback", "headers", "status_code"]),
        (api.PluginCompatibility, ["core_min_version", "core_max_version"]),
        (api.RateLimitError, ["message", "code", "status_code", "details", "retry_after"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_the_contract_has_these_parameters(function: Any, expected: list[str]) -> None:
    assert parameters(function) == expected


def test_a_definition_needs_four_fields_and_every_other_has_a_default() -> None:
    fields = dataclasses.fields(api.BackendPluginDefinition)
    needed = [each.name for each in fields if each.default is dataclasses.MISSING]
    assert needed == ["backend_name", "factory", "plugin_name", "compatibility"]
    assert {"capabilities", "options_model", "formats", "docs_url", "post_build_hook"} <= {each.name for each in fields}


def test_abstract_in_a_backend_is_only_what_every_connector_must_write() -> None:
    assert api.LLMBackend.__abstractmethods__ == {"initialize", "chat_completions"}


def test_every_error_is_an_error_of_ours() -> None:
    errors = [getattr(api, name) for name in api.__all__ if name.endswith("Error")]
    assert len(errors) > 10
    assert all(issubclass(error, api.LLMProxyError) for error in errors)
