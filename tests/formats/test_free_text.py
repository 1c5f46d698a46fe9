"""Free-text tools at an upstream that wraps their input."""

import pytest

from proxy_core.domain.content import ToolCallPart
from proxy_core.domain.response import Choice, DomainResponse
from proxy_core.domain.stream import Finish, StreamChunk, TextDelta, ToolCallDelta
from proxy_core.formats.free_text import FreeTextCalls, unwrap_calls, unwrapped

PATCH = "*** Begin\n+é"
WRAPPED = '{"input": "*** Begin\\n+\\u00e9"}'


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (WRAPPED, PATCH),
        ('{"input": ""}', ""),
        ('{"input": 1}', '{"input": 1}'),
        ('{"input": "a", "more": 1}', '{"input": "a", "more": 1}'),
        ('{"input": "cut', '{"input": "cut'),
        ("plain", "plain"),
    ],
)
def test_only_the_wrapping_is_taken_off(arguments: str, text: str) -> None:
    assert unwrapped(arguments) == text


def test_only_calls_of_the_named_tools_change() -> None:
    calls = [
        ToolCallPart(id="1", name="patch", arguments=WRAPPED),
        ToolCallPart(id="2", name="other", arguments=WRAPPED),
    ]
    unwrap_calls(DomainResponse(choices=[Choice(content=list(calls))]), {"patch"})
    assert [(call.kind, call.arguments) for call in calls] == [("custom", PATCH), ("function", WRAPPED)]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_streamed_call_opens_at_once_and_gets_its_text_when_the_answer_ends(size: int) -> None:
    calls = FreeTextCalls({"patch"})
    [opened] = calls.apply(StreamChunk(deltas=[ToolCallDelta(index=1, id="1", name="patch")])).deltas
    assert (opened.kind, opened.arguments) == ("custom", "")  # type: ignore[union-attr]
    for start in range(0, len(WRAPPED), size):
        piece = ToolCallDelta(index=1, arguments=WRAPPED[start : start + size])
        assert calls.apply(StreamChunk(deltas=[piece])).deltas == []
    other = TextDelta(text="beside it")
    assert calls.apply(StreamChunk(deltas=[other])).deltas == [other]
    [text] = calls.apply(StreamChunk(finish=[Finish(reason="tool_calls")])).deltas
    assert (text.arguments, text.kind) == (PATCH, "custom")  # type: ignore[union-attr]
    assert calls.apply(StreamChunk(terminal=True)).deltas == []
