"""Writes the generated parts of the pages in this directory: `nox -s docs -- --write`.

A page holds them between `<!-- generated: NAME -->` and `<!-- end -->`; all else in it is written by hand. Only the
distributions of this repository count, whatever else is installed, so that everybody gets the same pages.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.testing import CliRunner

from proxy_core import errors
from proxy_core.cli import PROGRAM, cli
from proxy_core.cli.group import PluginCommand
from proxy_core.config_schema import json_schema
from proxy_core.domain.content import ToolCallPart
from proxy_core.domain.response import Choice, DomainResponse, ErrorInfo, FinishReason
from proxy_core.formats import builtin_formats, losses
from proxy_core.formats.base import RenderOptions
from proxy_core.host.discovery import discover, distribution_of
from proxy_core.translation import TranslationService

DOCS = Path(__file__).parent
ROOT = DOCS.parent
DISTRIBUTIONS = [
    tomllib.loads(path.read_text("utf-8"))["project"]["name"] for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))
]

_SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WORDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
_FORMATS = {"password": "secret text", "path": "path"}
_NOTHING = "none"

Schema = Mapping[str, Any]

#: The wire formats by their names, and what their users call them.
FORMATS = {"openai": "Chat", "openai-responses": "Responses", "anthropic": "Messages", "gemini": "Gemini"}


def main() -> int:
    """Write every page that is not as it should be, and name it."""
    for page in stale_pages():
        page.write_text(rendered(page), "utf-8")
        sys.stdout.write(f"written: docs/{page.name}\n")
    return 0


def stale_pages() -> list[Path]:
    """The pages whose generated parts are not what they would be now."""
    return [page for page in sorted(DOCS.glob("*.md")) if page.read_text("utf-8") != rendered(page)]


def rendered(page: Path) -> str:
    """The page with its generated parts made anew."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{GENERATORS[found[2]]()}\n\n{found[3]}", page.read_text("utf-8"))


# the configuration


def settings() -> str:
    """Every section of `llm-proxy.yaml`, and every setting in it."""
    schema = json_schema()
    definitions = schema["$defs"]
    plain = {name: each for name, each in schema["properties"].items() if "$ref" not in each}
    sections = {name: each for name, each in schema["properties"].items() if "$ref" in each}
    parts = ["### The top level", _settings_table(plain)]
    parts += ["### `backends.NAME`", _settings_table(definitions["BackendConfig"]["properties"], "backends.NAME.")]
    for name, each in sections.items():
        section = definitions[each["$ref"].rpartition("/")[2]]
        parts += [f"### `{name}`", section["description"], _settings_table(section["properties"], f"{name}.")]
    return "\n\n".join(parts)


def connector_options() -> str:
    """The options of each connector in this repository; connectors with the same options share a table."""
    models: dict[Any, list[str]] = {}
    for found in discover(DISTRIBUTIONS):
        if found.definition and found.definition.options_model:
            models.setdefault(found.definition.options_model, []).append(found.name)
    return "\n\n".join(
        f"### {', '.join(f'`{name}`' for name in names)}\n\n{_settings_table(model.model_json_schema()['properties'])}"
        for model, names in models.items()
    )


def _settings_table(properties: Schema, prefix: str = "") -> str:
    return _table(
        ("setting", "type", "default", "meaning"),
        [
            (f"`{prefix}{name}`", type_in_words(each), _default(each), each.get("description", ""))
            for name, each in properties.items()
        ],
    )


def type_in_words(schema: Schema) -> str:
    """What a person may write for a value."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(filter(None, map(type_in_words, _real_ones(schema["anyOf"])))))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return "mapping"
    kinds = schema.get("type", "")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "array":
        return f"list of {type_in_words(schema['items'])}"
    if kind == "object":
        return "mapping"
    word = _FORMATS.get(schema.get("format", ""), _WORDS.get(kind, ""))
    return word + _range(schema) if kind in ("integer", "number") else word


def _real_ones(choices: Iterable[Schema]) -> Iterator[Schema]:
    """Without null, and without the texts that hold a variable."""
    return (each for each in choices if each.get("type") != "null" and set(each) != {"pattern"})


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least} to {most}"
    if least is not None:
        return f", at least {least:g}"
    return f", more than {schema['exclusiveMinimum']:g}" if "exclusiveMinimum" in schema else ""


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None or value == {} or value == []:
        return _NOTHING
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


# the command line


def commands() -> str:
    """The help of every command, as it is printed."""
    (_, root), *_ = every = list(every_command())
    return "\n\n".join(f"## `{' '.join(path)}`\n\n```text\n{_help(root, path)}\n```" for path, _ in every)


def every_command() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command of this repository and the words that call it; the groups come before what is in them."""
    ours = {name: each for name, each in _children(cli) if _is_ours(each)}
    root = click.Group("root", ours, help=cli.help, params=cli.params, context_settings=cli.context_settings)
    yield (PROGRAM,), root
    yield from _below((PROGRAM,), root)


def _below(path: tuple[str, ...], group: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, child in _children(group):
        command = child.load()[0] if isinstance(child, PluginCommand) else child
        assert command is not None
        yield (*path, name), command
        yield from _below((*path, name), command)


def _children(group: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(group, click.Group):
        context = click.Context(group)
        names = group.list_commands(context)
        yield from ((name, command) for name in names if (command := group.get_command(context, name)))


def _is_ours(command: click.Command) -> bool:
    return not isinstance(command, PluginCommand) or distribution_of(command.entries[0])[0] in DISTRIBUTIONS


def _help(root: click.Command, path: tuple[str, ...]) -> str:
    shown = CliRunner().invoke(root, [*path[1:], "--help"], prog_name=PROGRAM, terminal_width=96)
    return re.sub(r"(Comes with \S+) \S+\.$", r"\1.", shown.output.strip(), flags=re.MULTILINE)


# the errors


def error_classes() -> str:
    """The tree of errors, each with its status and code."""
    return _table(
        ("error", "status", "code", "meaning"),
        [
            (
                f"{'&nbsp;' * 4 * depth}`{each.__name__}`",
                str(each.default_status),
                f"`{each.default_code}`",
                _first(each),
            )
            for depth, each in _tree(errors.LLMProxyError, 0)
        ],
    )


def _tree(root: type[errors.LLMProxyError], depth: int) -> Iterator[tuple[int, type[errors.LLMProxyError]]]:
    yield depth, root
    for each in root.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from _tree(each, depth + 1)


def _first(thing: object) -> str:
    """The first paragraph of what it says about itself."""
    return (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")


# the wire formats


def routes() -> str:
    """Every address of every format, and what it is for."""
    return _table(
        ("format", "`POST`", "for"),
        [
            (f"`{wire_format.name}`", f"`{route.path}`", _PURPOSES[route.operation, route.stream])
            for wire_format in builtin_formats()
            for route in wire_format.client_routes
        ],
    )


_PURPOSES = {
    ("chat", None): "answers, streamed if the body says so",
    ("chat", False): "whole answers",
    ("chat", True): "streamed answers",
    ("count_tokens", None): "the number of tokens of a request",
    ("embed", None): "embeddings",
}


def loss_names() -> str:
    """The names of losses, as the module that defines them lists them."""
    _, _, requests, _, answers, _ = re.split(r"^=+ +=+$", losses.__doc__ or "", flags=re.MULTILINE)
    heading = ("name", "what was left out, or had to change")
    these = "Answers use the same names, and these:"
    return f"{_table(heading, _cells(requests))}\n\n{these}\n\n{_table(heading, _cells(answers))}"


def _cells(rows: str) -> list[list[str]]:
    return [re.split(r"  +", line, maxsplit=1) for line in rows.strip().splitlines()]


class Feature(NamedTuple):
    """A row of the table of losses: what it is called, and the stories of the corpus that tell of it. `only` picks the
    losses that count here, where a story tells of more."""

    name: str
    stories: tuple[str, ...]
    only: str = ""


STORIES = ROOT / "tests" / "corpus" / "stories"

REQUESTS = (
    Feature("system prompt, turns", ("plain_text", "system_and_turns", "empty_and_repeated_turns", "unicode")),
    Feature("a system message amid the turns", ("system_in_mid_conversation",)),
    Feature("order of text and calls in the history", ("block_order",)),
    Feature("tools, calls, results, ids", ("tool_call", "tool_result_round", "ai_sdk_request")),
    Feature("choice of a tool", ("tool_choice_required", "tool_choice_named", "tool_choice_none")),
    Feature("choice among some tools", ("tool_choice_allowed",)),
    Feature("one call at a time", ("parallel_off",)),
    Feature("free-text tools", ("custom_tool",)),
    Feature("tools that the provider runs", ("codex_request",), only="tools."),
    Feature("a tool failed", ("tool_result_error",)),
    Feature("media in a tool's result", ("tool_result_media",)),
    Feature("images", ("image_data", "image_url")),
    Feature("PDF", ("pdf_document",)),
    Feature("audio", ("audio_input",)),
    Feature("video", ("video_input",)),
    Feature("several candidates", ("n_request",)),
    Feature("log probabilities", ("logprobs",)),
    Feature("seed, penalties, bias, `top_k`", ("sampling_chat", "sampling_anthropic", "sampling_gemini")),
    Feature("stop sequences", ("stop_sequences", "gemini_snake_case")),
    Feature("six stop sequences", ("many_stop_sequences",)),
    Feature("no limit of tokens", ("no_max_tokens",)),
    Feature("JSON by a schema", ("json_schema_output",)),
    Feature("any JSON", ("json_object_output",)),
    Feature("an effort of thinking", ("reasoning_effort",)),
    Feature("a budget for thinking", ("thinking_budget",)),
    Feature("adaptive thinking", ("thinking_adaptive",)),
    Feature("no thinking", ("thinking_off",)),
    Feature("thinking in the history, unsigned", ("chat_thinking_second_turn",)),
    Feature("opaque state in the history", ("signed_thinking_second_turn",)),
    Feature("`cache_control`", ("claude_code_request",), only="cache_control"),
    Feature("state kept at the provider", ("previous_response_id", "background_request", "cached_content")),
    Feature("all that Claude Code sends", ("claude_code_request",)),
    Feature("all that Codex sends", ("codex_request",)),
)
ANSWERS = (
    Feature("text", ("plain_text", "unicode")),
    Feature("thinking that can be read", ("thinking_and_text", "limit_reached_while_thinking")),
    Feature("opaque state", ("signed_thinking_and_call", "redacted_thinking", "empty_thinking_with_signature")),
    Feature("order of text and calls", ("block_order",)),
    Feature("calls of tools, ids", ("tool_call", "parallel_calls_of_one_tool", "empty_arguments")),
    Feature("calls of free-text tools", ("custom_tool",)),
    Feature("arguments cut off", ("arguments_cut_off",)),
    Feature("what the provider's own tools did", ("web_search_answer",)),
    Feature("citations", ("citations",)),
    Feature("images that the model made", ("image_output",)),
    Feature("the limit was reached", ("finish_length",)),
    Feature("a stop sequence was hit", ("stop_sequence_hit",)),
    Feature("the turn was paused", ("pause_turn",)),
    Feature("the provider gave up", ("malformed_function_call", "unexpected_tool_call")),
    Feature("refusal", ("refusal", "refusal_without_words")),
    Feature("filtered", ("safety_stop", "filtered_after_text")),
    Feature("the prompt was blocked", ("blocked_prompt",)),
    Feature("usage: cached, reasoning", ("usage_counts", "usage_cache_written")),
    Feature("several candidates", ("two_candidates",)),
    Feature("log probabilities", ("logprobs", "logprobs_for_messages")),
    Feature("errors", ("error_whole", "error_in_stream")),
)


def corpus_losses() -> str:
    """What each feature loses on the way to each format, by the corpus of the tests."""
    return "\n\n".join(
        [
            "### Requests, by the format of the backend",
            _losses_table("request", REQUESTS),
            "### Answers, by the format of the client",
            _losses_table("answer", ANSWERS),
        ]
    )


def _losses_table(side: str, features: Iterable[Feature]) -> str:
    rows = [*features, *_others(side, features)]
    headings = ("what", *FORMATS.values(), "stories")
    return _table(
        headings, [(each.name, *(_cell(each, side, name) for name in FORMATS), _links(each)) for each in rows]
    )


def _others(side: str, features: Iterable[Feature]) -> list[Feature]:
    """The stories of losses that no feature claims, by their own words."""
    claimed = {name for each in features if not each.only for name in each.stories}
    names = (path.stem for path in sorted(STORIES.glob("*.json")))
    return [
        Feature(_story(name)["about"].rstrip("."), (name,))
        for name in names
        if name not in claimed and any(_lost(_story(name), side, target) for target in FORMATS)
    ]


def _story(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STORIES / f"{name}.json").read_text("utf-8"))
    return found


def _links(feature: Feature) -> str:
    return " ".join(f"[{name}](../tests/corpus/stories/{name}.json)" for name in feature.stories)


def _cell(feature: Feature, side: str, target: str) -> str:
    stories = [_story(name) for name in feature.stories]
    lost = dict.fromkeys(name for story in stories for name in _lost(story, side, target))
    names = [f"`{name}`" for name in lost if name.startswith(feature.only)]
    refused = dict.fromkeys(name for story in stories for name in _refused(story, target)) if side == "request" else {}
    changed = dict.fromkeys(name for story in stories for name in _changed(story, side, target))
    cells = [", ".join(names)] if names else []
    cells += [f"400: {', '.join(f'`{name}`' for name in refused)}"] if refused else []
    cells += [f"changed: {', '.join(f'`{name}`' for name in changed)}"] if changed and not names else []
    return "; ".join(cells) or "kept"


def _sources(story: Mapping[str, Any], side: str, target: str) -> list[str]:
    """The other formats that the story is told in."""
    return [name for name in story.get(side, {}) if name != target]


def _lost(story: Mapping[str, Any], side: str, target: str) -> list[str]:
    value = story.get("may_lose", {}).get(side, {}).get(target, [])
    return [name for source in _sources(story, side, target) for name in _for_source(value, source) or ()]


def _refused(story: Mapping[str, Any], target: str) -> list[str]:
    value = story.get("refuse", {}).get(target)
    return [word for source in _sources(story, "request", target) if (word := _for_source(value, source))]


def _for_source(value: Any, source: str) -> Any:
    return value.get(source) if isinstance(value, dict) else value


def _changed(story: Mapping[str, Any], side: str, target: str) -> Iterable[str]:
    """What is told in another way."""
    changed: dict[str, Any] = story.get("means_by", {}).get(side, {}).get(target, {})
    return changed if _sources(story, side, target) else ()


#: What clients say of thinking, by their format.
THINKING: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "openai": tuple(
        {"reasoning_effort": word} for word in ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    ),
    "openai-responses": (
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"effort": "low"}},
        {"reasoning": {"effort": "high", "summary": "auto"}},
        {"reasoning": {"summary": "detailed"}},
    ),
    "anthropic": (
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": 4096}},
        {"thinking": {"type": "enabled", "budget_tokens": 16384}},
        {"thinking": {"type": "enabled", "budget_tokens": 32000}},
        {"thinking": {"type": "adaptive"}},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
        {"output_config": {"effort": "max"}},
    ),
    "gemini": (
        {"thinkingConfig": {"thinkingBudget": 0}},
        {"thinkingConfig": {"thinkingBudget": 512}},
        {"thinkingConfig": {"thinkingBudget": 8192, "includeThoughts": True}},
        {"thinkingConfig": {"thinkingBudget": -1}},
        {"thinkingConfig": {"thinkingLevel": "HIGH"}},
        {"thinkingConfig": {"includeThoughts": True}},
    ),
}
#: The smallest request of each format.
SMALLEST: Mapping[str, Mapping[str, Any]] = {
    "openai": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    "openai-responses": {"model": "m", "input": "Hi"},
    "anthropic": {"model": "m", "max_tokens": 64_000, "messages": [{"role": "user", "content": "Hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
}
_SETTINGS_OF_THINKING = ("reasoning_effort", "reasoning", "thinking", "output_config", "thinkingConfig")


def thinking() -> str:
    """What becomes of each setting of thinking at each upstream."""
    rows = [(said, source) for source, all_said in THINKING.items() for said in all_said]
    return _table(
        ("the client says", *FORMATS.values()),
        [
            (
                _json(said),
                *("as it is" if name == source else _json(thinking_for(said, source, name)) for name in FORMATS),
            )
            for said, source in rows
        ],
    )


def thinking_for(said: Mapping[str, Any], source: str, target: str) -> dict[str, Any]:
    """The settings of thinking that an upstream gets where a client has said this, and else nothing. Gemini's stand in
    `generationConfig`."""
    service = TranslationService()
    fields = {"generationConfig": said} if source == "gemini" else said
    sent = service.from_domain_request(service.to_domain_request({**SMALLEST[source], **fields}, source), target)
    settings = sent.get("generationConfig", {}) if target == "gemini" else sent
    return {name: settings[name] for name in _SETTINGS_OF_THINKING if name in settings}


def _json(value: Mapping[str, Any]) -> str:
    return f"`{json.dumps(value)[1:-1]}`" if value else "nothing"


def finishes() -> str:
    """How each format is told why an answer ended."""
    return _table(
        ("the answer", *FORMATS.values()),
        [(words, *(_json(finish_for(reason, name)) for name in FORMATS)) for reason, words in ENDS.items()],
    )


#: Why an answer ends, in words.
ENDS: Mapping[FinishReason, str] = {
    "stop": "is complete",
    "tool_calls": "calls tools",
    "length": "reached the limit",
    "content_filter": "was filtered",
    "refusal": "is a refusal without words",
    "pause": "was paused, to be continued",
    "error": "was given up by the provider",
}
_ENDS_IN = {
    "openai": ("finish_reason", "native_finish_reason"),
    "openai-responses": ("status", "incomplete_details", "error", "native_finish_reason"),
    "anthropic": ("stop_reason", "stop_details"),
    "gemini": ("finishReason", "finishMessage"),
}


def finish_for(reason: FinishReason, target: str) -> dict[str, Any]:
    """The fields that tell a client why an answer ended."""
    call = ToolCallPart(id="call_1", name="get_time")
    choice = Choice(content=[call] if reason == "tool_calls" else [], finish_reason=reason)
    body = TranslationService().from_domain_response(DomainResponse(model="m", choices=[choice]), target)
    holder = body.get("choices", body.get("candidates", [body]))[0]
    return {name: holder[name] for name in _ENDS_IN[target] if holder.get(name) is not None}


def error_words() -> str:
    """How each format calls an error of each status."""
    return _table(
        ("status", "Chat, Responses: `type`, `code`", "Messages: `type`", "Gemini: `status`"),
        [
            (str(status), *(", ".join(f"`{word}`" for word in error_for(status, name)) for name in _ERROR_WORDS))
            for status in (400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504, 529)
        ],
    )


_ERROR_WORDS = {"openai": ("type", "code"), "anthropic": ("type",), "gemini": ("status",)}


def error_for(status: int, target: str) -> list[str]:
    """The words of an error that has a status and a message alone."""
    wire_format = TranslationService().format(target)
    error = wire_format.encode_error(ErrorInfo(message="…", status=status), RenderOptions(model="m"))["error"]
    return [error[name] for name in _ERROR_WORDS[target] if error[name]]


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [headings, ["---"] * len(list(headings)), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


GENERATORS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "connector_options": connector_options,
    "commands": commands,
    "error_classes": error_classes,
    "routes": routes,
    "loss_names": loss_names,
    "losses": corpus_losses,
    "thinking": thinking,
    "finishes": finishes,
    "error_words": error_words,
}


if __name__ == "__main__":
    sys.exit(main())
