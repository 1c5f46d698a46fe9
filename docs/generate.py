"""Writes the generated parts of the pages in this directory: `nox -s docs -- --write`.

A page holds them between `<!-- generated: NAME -->` and `<!-- end -->`; all else in it is written by hand. Only the
distributions of this repository count, whatever else is installed, so that everybody gets the same pages.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from proxy_core import errors
from proxy_core.cli import PROGRAM, cli
from proxy_core.cli.group import PluginCommand
from proxy_core.config_schema import json_schema
from proxy_core.host.discovery import discover, distribution_of

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


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [headings, ["---"] * len(list(headings)), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


GENERATORS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "connector_options": connector_options,
    "commands": commands,
    "error_classes": error_classes,
}


if __name__ == "__main__":
    sys.exit(main())
