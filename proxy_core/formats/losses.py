"""What a translation left out, by name: the words in `DomainRequest.dropped`, `DomainResponse.dropped`,
`StreamChunk.dropped` and `StreamEncoder.dropped`, which the client gets to read.

=============================  =======================================================================================
name                           what was left out, or had to change
=============================  =======================================================================================
a field of the request         by the client's own word: `seed`, `top_k`, `stop` or `stop_sequences`, `store`
a field inside it              by its own word alone: `cache_control`, `detail`, `name`, `title` of a document
`text.FIELD`                   a setting of the output (`generationConfig.FIELD` at Gemini) that only it has
`message.FIELD`                what only Responses knows of a message: `message.phase`
`additionalProperties`         a schema's object of any keys: the target's objects are closed
`reasoning`                    the text of thinking, or how much to think
`reasoning.FIELD`              a setting of thinking that only the client's provider has
`signature`                    opaque state (signed or encrypted reasoning) that another provider issued
`tools.NAME`                   a tool that only its own provider runs
`tool_choice.allowed_tools`    a tool that the choice names cannot be offered
`tool_result.media`            media in a tool's result: moved to the user's message that follows
`messages.role`                a system message amid the conversation: its text became the user's
`messages.content.KIND`        a part (`media`, `tool_call`, `tool_result`) where the target allows none
a block's type                 a block that only its provider knows: `server_tool_use`, `web_search_tool_result`
`citations`                    sources of a text
=============================  =======================================================================================

Answers use the same names, and these:

=============================  =======================================================================================
`choices`                      all candidates but the first
`content.media`                an image, or sound, that the model made
`logprobs`                     log probabilities
a field of the message         one that only the upstream's format has: `audio`, `annotations`
=============================  =======================================================================================

Facts about an answer (fingerprints, service tiers, filter results) are no losses. Names are tokens that may stand in
a header: `record_dropped` sees to it.
"""

from __future__ import annotations

from collections.abc import Iterable

from proxy_core.domain.base import Extras
from proxy_core.domain.content import NativePart, ReasoningPart
from proxy_core.domain.stream import NativeDelta, ReasoningDelta

#: What clients call the domain's fields, where that is another word.
_CLIENT_WORDS: dict[str, dict[str, str]] = {
    "anthropic": {
        "filename": "title",
        "parallel_tool_calls": "disable_parallel_tool_use",
        "response_format": "output_config.format",
        "stop": "stop_sequences",
        "user": "user_id",
    },
    "gemini": {
        "dimensions": "outputDimensionality",
        "frequency_penalty": "frequencyPenalty",
        "logprobs": "responseLogprobs",
        "max_tokens": "maxOutputTokens",
        "metadata": "labels",
        "n": "candidateCount",
        "presence_penalty": "presencePenalty",
        "response_format": "responseMimeType",
        "stop": "stopSequences",
        "task": "taskType",
        "top_k": "topK",
        "top_logprobs": "logprobs",
        "top_p": "topP",
    },
    "openai-responses": {"max_tokens": "max_output_tokens", "response_format": "text.format"},
}


def client_word(name: str, source_format: str | None) -> str:
    """What the client that sent the request calls a field of the domain."""
    return _CLIENT_WORDS.get(source_format or "", {}).get(name, name)


def in_client_words(names: Iterable[str], source_format: str | None) -> list[str]:
    """The same for many."""
    return [client_word(name, source_format) for name in names]


def of_reasoning(part: ReasoningPart | ReasoningDelta) -> list[str]:
    """The names for reasoning that stays behind."""
    names = ["reasoning"] if part.text else []
    return [*names, "signature"] if part.signature or part.data else names


def of_native(part: NativePart | NativeDelta) -> list[str]:
    """The names for a block that another format has: its type or, for one that is fields of a message, the fields'."""
    kind = part.data.get("type")
    return [kind] if isinstance(kind, str) else list(part.data)


def of_foreign(extras: Extras, own: str) -> list[str]:
    """The fields that only formats other than `own` know, without the notes to themselves."""
    return [field for name, fields in extras.items() if name != own for field in fields if field[:1] != "_"]
