"""One response out of a stream's, which google-genai leaves to its users, or to its chats."""

from collections.abc import Iterator
from typing import Any

from google.genai import types
from pydantic import BaseModel

FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII"), "refused"),
}


def remembered(chat: Any, chunks: list[types.GenerateContentResponse]) -> types.GenerateContentResponse:
    """The answer as the chat would send it back: it forgets a turn with one part that it cannot use."""
    response = collected(chunks)
    for candidate in response.candidates or ():
        turns = reversed(chat.get_history(curated=FINISH[candidate.finish_reason] != "refused"))
        said = [turn.parts or [] for turn in _until_user(turns)]
        candidate.content = types.Content(role="model", parts=[part for parts in reversed(said) for part in parts])
    return response


def _until_user(turns: Iterator[types.Content]) -> Iterator[types.Content]:
    for turn in turns:
        if turn.role == "user":
            return
        yield turn


def collected(chunks: list[types.GenerateContentResponse]) -> types.GenerateContentResponse:
    """One response; the SDK leaves that to its users."""
    assert len({chunk.response_id for chunk in chunks}) == len({chunk.model_version for chunk in chunks}) == 1
    fields: dict[str, Any] = {}
    candidate: dict[str, Any] = {}
    parts: list[types.Part] = []
    for chunk in chunks:
        fields |= _said(chunk)
        for each in chunk.candidates or ():
            candidate |= _said(each)
            parts += (each.content and each.content.parts) or []
    if candidate:
        candidate["content"] = types.Content(role="model", parts=_joined(parts))
        fields["candidates"] = [types.Candidate(**candidate)]
    return types.GenerateContentResponse(**fields)


def _said(model: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in model if value is not None}


def _joined(parts: list[types.Part]) -> list[types.Part]:
    """Consecutive text of one kind as one part, until it is signed."""
    joined: list[types.Part] = []
    for part in parts:
        if joined and _continues(joined[-1], part):
            text = (joined[-1].text or "") + (part.text or "")
            joined[-1] = part.model_copy(update={"text": text})
        else:
            joined.append(part)
    return joined


def _continues(before: types.Part, part: types.Part) -> bool:
    if before.text is None or part.text is None or before.thought_signature:
        return False
    return bool(before.thought) == bool(part.thought) and not (part.thought_signature and part.text)


def essence(response: types.GenerateContentResponse) -> Any:
    """The response as JSON, its text joined, without empty text and what is minted for each answer."""
    whole = collected([response])
    for content in (candidate.content for candidate in whole.candidates or () if candidate.content):
        content.parts = [part for part in content.parts or () if part.text != "" or part.thought_signature]
    return whole.model_dump(mode="json", exclude_none=True, exclude={"response_id", "create_time", "sdk_http_response"})
