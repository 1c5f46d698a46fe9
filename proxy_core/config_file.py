"""The configuration file: its values, the line of each of them, and what is wrong with it, in plain words.

Knows YAML, `${ENV}` and how to check values against a model. What the keys mean is for `config.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from proxy_core.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from yaml import MappingNode, Node, ScalarNode, SequenceNode, YAMLError

__all__ = [
    "ConfigDocument",
    "ConfigSource",
    "KeyPath",
    "Problem",
    "interpolate",
    "read_config_file",
    "suggestion",
    "validated",
]

#: Where a value stands in the file: `("auth", "keys", 0)`.
KeyPath = tuple[str | int, ...]

_STRING_TAG = "tag:yaml.org,2002:str"
_TIMESTAMP_TAG = "tag:yaml.org,2002:timestamp"

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(?P<body>[^}]*)(?P<end>\}?)")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)

# What YAML's own messages quote after these words may be the beginning of a secret.
_QUOTED_TEXT = re.compile(r"(alias|anchor|tag handle|tag) (?:'.*?'|\".*?\")")
_SYNTAX_HINTS = {
    r"'\t'": "indent with spaces, not tabs",
    "undefined alias": 'put quotes around a value that begins with "*"',
    "duplicate anchor": 'put quotes around a value that begins with "&"',
    "undefined tag": 'put quotes around a value that begins with "!"',
    "but got '{'": 'inside {…} or […], put quotes around "${NAME}"',
}

# pydantic's words speak of Python where a person has written YAML; by its type of error.
_WORDS = {
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "dict_type": "should be a mapping (lines of `key: value`)",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "list_type": "should be a list",
    "missing": "is required",
    "model_type": "should be a mapping (lines of `key: value`)",
    "string_type": "should be text; put quotes around a number",
}

_Model = TypeVar("_Model", bound=BaseModel)


class Problem(NamedTuple):
    """One thing that is wrong, and where; `line` is needed only where the key path does not tell it."""

    keys: KeyPath
    message: str
    line: int | None = None


@dataclass(frozen=True)
class ConfigSource:
    """Which file a configuration came from, and the line of every key; empty when there is no file."""

    path: str | None = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict, repr=False)

    def line(self, keys: KeyPath) -> int | None:
        """The line of a key, or of the nearest key around it that is in the file."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys)

    def where(self, *keys: str | int) -> str:
        """`llm-proxy.yaml:7: backends.mine.api_key`, as far as it is known."""
        return self._place(keys, self.line(keys))

    def error(self, problems: Iterable[Problem]) -> ConfigurationError:
        """All problems as one error, a line each, in the order of the file."""
        placed = [(problem.line or self.line(problem.keys), problem) for problem in problems]
        placed.sort(key=lambda pair: pair[0] or 0)
        return ConfigurationError(
            "\n".join(f"{self._place(problem.keys, line)}: {problem.message}" for line, problem in placed)
        )

    def _place(self, keys: KeyPath, line: int | None) -> str:
        file = f"{self.path}:{line}" if line else self.path
        return ": ".join(filter(None, (file, _dotted(keys)))) or "configuration"


def _dotted(keys: KeyPath) -> str:
    """`auth.keys[0]`, and `models."gpt-4.1"` where a key has a dot of its own."""
    words = (f"[{key}]" if isinstance(key, int) else f'."{key}"' if "." in key else f".{key}" for key in keys)
    return "".join(words).removeprefix(".")


@dataclass(frozen=True)
class ConfigDocument:
    """A file that could be read: its values, their places, and the problems that did not stop the reading."""

    values: dict[str, Any]
    source: ConfigSource
    problems: list[Problem]


def read_config_file(path: Path) -> ConfigDocument:
    """Read a YAML file. Raises `ConfigurationError` when it is not there, not YAML, or not a mapping."""
    root = _compose(_read_text(path), path)
    reader = _NodeReader()
    values = {} if root is None else reader.read(root, ())
    source = ConfigSource(str(path), reader.lines)
    if root is not None and not isinstance(values, dict) and not reader.problems:
        kind = "a list" if isinstance(values, list) else "a single value"
        message = f"the file should be a mapping (lines of `key: value`), not {kind}"
        raise source.error([Problem((), message, root.start_mark.line + 1)])
    return ConfigDocument(values if isinstance(values, dict) else {}, source, reader.problems)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        pass  # its text holds the file's bytes, so it is not chained
    raise ConfigurationError(f"{path}: is not UTF-8 text; save it as UTF-8")


def _compose(text: str, path: Path) -> Node | None:
    """The node tree: values that know their line. None for an empty file."""
    import yaml

    try:
        root: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        problem = _syntax_problem(error, text)
    else:
        return None if root is not None and _is_null(root) else root
    raise ConfigSource(str(path)).error([problem])


def _is_null(node: Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _syntax_problem(error: YAMLError, text: str) -> Problem:
    """YAML's own words without its excerpt of the file, which may show a secret."""
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", 0)  # of a character that YAML does not allow
    line = mark.line if mark else text.count("\n", 0, position)
    complaint = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    hints = [f"; {hint}" for sign, hint in _SYNTAX_HINTS.items() if sign in complaint]
    return Problem((), _QUOTED_TEXT.sub(r"\1", complaint) + "".join(hints[:1]), line + 1)


class _NodeReader:
    """Turns YAML nodes into plain values and notes lines and problems on the way."""

    def __init__(self) -> None:
        import yaml

        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._constructor = yaml.constructor.SafeConstructor()
        self._constructor_errors = (yaml.constructor.ConstructorError, ValueError)
        self._readers: dict[type[Node], Callable[[Any, KeyPath], Any]] = {
            yaml.ScalarNode: self._scalar,
            yaml.SequenceNode: self._sequence,
            yaml.MappingNode: self._mapping,
        }
        self._flattened: set[int] = set()
        self._open: set[int] = set()

    def read(self, node: Node, keys: KeyPath) -> Any:
        """The plain value of a node. A part that cannot be read becomes None and a problem."""
        if id(node) in self._open:
            return self._problem(keys, node, "an anchor cannot contain itself")
        self._open.add(id(node))
        value = self._readers[type(node)](node, keys)
        self._open.remove(id(node))
        return value

    def _problem(self, keys: KeyPath, node: Node, message: str) -> None:
        self.problems.append(Problem(keys, message, node.start_mark.line + 1))

    def _scalar(self, node: ScalarNode, keys: KeyPath) -> Any:
        if node.tag == _TIMESTAMP_TAG:
            return node.value  # `2024-06-01` is the version of an API, never a date
        try:
            return self._constructor.construct_object(node, deep=True)
        except self._constructor_errors:
            return self._problem(keys, node, "cannot be read; put quotes around the value")

    def _sequence(self, node: SequenceNode, keys: KeyPath) -> list[Any]:
        for index, item in enumerate(node.value):
            self.lines[*keys, index] = item.start_mark.line + 1
        return [self.read(item, (*keys, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, keys: KeyPath) -> dict[str, Any]:
        self._flatten(node, keys)
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag not in (_STRING_TAG, _TIMESTAMP_TAG):
                self._problem(keys, key_node, _not_text(key_node))
                continue
            path = (*keys, key_node.value)
            self.lines[path] = key_node.start_mark.line + 1
            mapping[key_node.value] = self.read(value_node, path)
        return mapping

    def _flatten(self, node: MappingNode, keys: KeyPath) -> None:
        """Look for duplicates, then resolve `<<`; once, since an overridden key then stands there twice."""
        if id(node) in self._flattened:
            return
        self._flattened.add(id(node))
        self._find_duplicates(node, keys)
        try:
            self._constructor.flatten_mapping(node)
        except self._constructor_errors:
            self._problem(keys, node, "`<<` takes a mapping or a list of mappings")

    def _find_duplicates(self, node: MappingNode, keys: KeyPath) -> None:
        first: dict[str, int] = {}
        for key_node, _ in node.value:
            key = key_node.value
            if not isinstance(key, str):
                continue
            if key in first:
                self._problem((*keys, key), key_node, f"given twice; the first is on line {first[key]}")
            first.setdefault(key, key_node.start_mark.line + 1)


def _not_text(key_node: Node) -> str:
    if not isinstance(key_node.value, str):
        return "a key should be text"
    return f'a key should be text; put quotes around it: "{key_node.value}"'


def interpolate(value: Any, env: Mapping[str, str], problems: list[Problem], keys: KeyPath = ()) -> Any:
    """Replace `${NAME}` and `${NAME:-default}` in every text below `value`; `$${` stands for a plain `${`.

    As in a shell, the default also stands in for an empty variable. A text whose variable is not set stays as
    it is and is added to `problems`.
    """
    if isinstance(value, dict):
        return {key: interpolate(item, env, problems, (*keys, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, env, problems, (*keys, index)) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return _PLACEHOLDER.sub(lambda match: _replacement(match, env), value)
    except _VariableError as error:
        problems.append(Problem(keys, str(error)))
        return value


class _VariableError(Exception):
    """A placeholder has no value."""


def _replacement(placeholder: re.Match[str], env: Mapping[str, str]) -> str:
    if placeholder["body"] is None:
        return "${"
    variable = _VARIABLE.fullmatch(placeholder["body"]) if placeholder["end"] else None
    if variable is None or "${" in (variable["default"] or ""):
        raise _VariableError("malformed variable; write ${NAME} or ${NAME:-default}, and $${ for a plain ${")
    name, default = variable["name"], variable["default"]
    if default is not None:
        return env.get(name) or default
    if name not in env:
        raise _VariableError(f"environment variable {name} is not set; set it, or give a default: ${{{name}:-default}}")
    return env[name]


def validated(
    model: type[_Model],
    values: dict[str, Any],
    *,
    prefix: KeyPath = (),
    siblings: Iterable[str] = (),
    context: ConfigSource | None = None,
) -> tuple[_Model | None, list[Problem]]:
    """`values` as a model, or what is wrong with them.

    `prefix` is where in the file they stand, `siblings` are keys that stand there too and may have been meant.
    pydantic's exception goes no further, not even chained: its text may hold the secrets of the file.
    """
    try:
        return model.model_validate(values, context=context), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    return None, [Problem(prefix + _real_path(values, one), _explanation(model, one, siblings)) for one in found]


def _real_path(values: Any, error: ErrorDetails) -> KeyPath:
    """Where the error is, without what pydantic adds: `[key]`, or the member of a union."""
    path: KeyPath = ()
    for part in error["loc"]:
        if part in values if isinstance(values, dict) else isinstance(values, list) and isinstance(part, int):
            path, values = (*path, part), values[part]
    return (*path, error["loc"][-1]) if error["type"] == "missing" else path


def _explanation(model: type[BaseModel], error: ErrorDetails, siblings: Iterable[str]) -> str:
    if error["type"] == "extra_forbidden":
        *section, key = error["loc"]
        known = [*_keys_at(model, section), *(() if section else siblings)]
        return "unknown option" + suggestion(str(key), known)
    words = re.sub(r"^(Input |Value error, |Assertion failed, )", "", error["msg"])
    return _WORDS.get(error["type"], words[:1].lower() + words[1:])


def _keys_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """What may stand at `loc` in `model`. Parts that are no field's name, as of mappings, are passed over."""
    models = [model]
    for part in loc:
        fields = [one.model_fields[part] for one in models if part in one.model_fields]
        models = [inner for field in fields for inner in _models_in(field.annotation)] if fields else models
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Of `Model`, `Model | None`, `list[Model]` or `dict[str, Model]`: the model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def suggestion(word: str, known: Iterable[str]) -> str:
    """How an error message ends: what was probably meant, else everything that could have been."""
    import difflib

    known = sorted(known)
    if near := difflib.get_close_matches(word, known, n=1):
        return f'; did you mean "{near[0]}"?'
    return f"; known here: {', '.join(known)}" if known else ""
