"""OpenAI is asked to hold a model to a schema only where it can."""

from typing import Any

import pytest

from proxy_core.domain.request import ResponseFormat
from proxy_core.formats.strict_schema import strictness


def closed(**properties: Any) -> dict[str, Any]:
    """An object of these properties and no others, all required."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (closed(), True),
        (closed(a={"type": "string"}, b=closed(c={"type": ["integer", "null"]})), True),
        (closed(a={"type": "array", "items": closed()}, b={"anyOf": [closed(), {"type": "null"}]}), True),
        ({**closed(a={"$ref": "#/$defs/n"}), "$defs": {"n": {"type": "string"}}}, True),
        (closed(a={"type": "string", "enum": ["x"]}), True),
        (closed(a={}), None),
        (closed(a={"description": "anything"}), None),
        (closed(a={"enum": ["x"]}), None),
        (closed(a=True), None),
        (closed(a={"type": "object"}), None),
        (closed(a={"type": "array", "items": {}}), None),
        ({**closed(a={"type": "string"}), "required": []}, None),
        ({"anyOf": [closed()]}, None),
        (None, None),
    ],
)
def test_a_schema_is_strict_where_openai_can_hold_a_model_to_it(schema: Any, strict: bool | None) -> None:
    assert strictness(ResponseFormat(type="json_schema", schema=schema)) is strict


@pytest.mark.parametrize("strict", [True, False])
def test_what_the_client_says_counts(strict: bool) -> None:
    assert strictness(ResponseFormat(type="json_schema", schema=closed(a={}), strict=strict)) is strict
