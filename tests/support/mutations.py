"""Near misses: JSON that was right, with odd values at random places.

Hypothesis draws the bytes, each of which decides one thing; so a case costs microseconds, and shrinks.
"""

import json
from copy import deepcopy
from typing import Any

from tests.reliability.odd_json import Decisions

DEEP_TEXT = '{"a":' * 120 + "1" + "}" * 120
VERY_DEEP_TEXT = '{"a":' * 900 + "1" + "}" * 900
ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e300, float("inf"), float("nan"), 10**30, -(10**30), 2**63, 10**400),
    *("", "x", " ", "\ud800", "\udc00\ud83d", "\0", "\u2028", "é☕😀", "a" * 300, "none", "auto", "true", "3", "1e5"),
    *([], {}, [None], [[]], [{}], [1], ["x"], [True], {"": None}, {"type": 7}, {"type": "text"}, {"x": {"y": [1]}}),
    *("data:image/png;base64,!!", "data:,", "http://[", "file:///etc/passwd", "{", "[1", '{"a":1}', '{"input":7}'),
    *(DEEP_TEXT, VERY_DEEP_TEXT, {"type": "object", "properties": None}, [{"type": None}], {"\ud800": "\ud800"}),
]
KEYS = ["type", "text", "content", "id", "name", "role", "x_unknown", "", "\ud800", "input", "parts", "index", "data"]
MOST = 4


def mutated(whole: Any, data: bytes) -> Any:
    """A copy with one to four places changed."""
    decide, root = Decisions(data), {"root": deepcopy(whole)}
    for _ in range(1 + decide.below(MOST)):
        _mutate(root, decide)
    return root["root"]


def _mutate(root: dict[str, Any], decide: Decisions) -> None:
    """Go down to some place and change what is there."""
    node: Any = root
    key: Any = "root"
    while isinstance(node[key], dict | list) and node[key] and decide.below(8):
        node = node[key]
        key = decide.below(len(node)) if isinstance(node, list) else list(node)[decide.below(len(node))]
    CHANGES[decide.below(len(CHANGES))](node, key, decide)


def _replace(node: Any, key: Any, decide: Decisions) -> None:
    node[key] = deepcopy(ODD_VALUES[decide.below(len(ODD_VALUES))])


def _remove(node: Any, key: Any, _: Decisions) -> None:
    if key != "root":
        del node[key]


def _rename(node: Any, key: Any, decide: Decisions) -> None:
    if isinstance(node, dict) and key != "root":
        node[decide.of(KEYS)] = node.pop(key)


def _wrap(node: Any, key: Any, _: Decisions) -> None:
    node[key] = [node[key]]


def _double(node: Any, key: Any, _: Decisions) -> None:
    if isinstance(node, list):
        node.append(deepcopy(node[key]))


def _spell(node: Any, key: Any, _: Decisions) -> None:
    node[key] = json.dumps(node[key])


def _shift(node: Any, key: Any, decide: Decisions) -> None:
    """Put what stands here into the place of something beside it."""
    if isinstance(node, list):
        node[decide.below(len(node))] = node[key]
    elif key != "root":
        node[list(node)[decide.below(len(node))]] = node[key]


CHANGES = [_replace, _replace, _replace, _replace, _remove, _rename, _wrap, _double, _spell, _shift]
