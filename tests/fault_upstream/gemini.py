"""How Google's Gemini speaks (https://ai.google.dev/api/generate-content), as generativelanguage.googleapis.com does.

The signature travels as base64 on the function call, or on an empty text where there is none; calls have no ids unless
the story says `ids=1`. `gemini_request.py` reads requests.
"""

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.fault_upstream.gemini_request import BAD_KEY, CALL_ID_PREFIX
from tests.fault_upstream.gemini_request import check as check
from tests.fault_upstream.gemini_request import images as images
from tests.fault_upstream.gemini_request import offered_tool as offered_tool
from tests.fault_upstream.gemini_request import thoughts as thoughts
from tests.fault_upstream.gemini_request import tool_results as tool_results
from tests.fault_upstream.reply import Event, Reply, Thinking, ToolUse, Usage

call_id_prefix = CALL_ID_PREFIX
lost_thought = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly,"
    " and missing thought_signature may lead to degraded model performance. Additional data, function call"
    " `default_api:get_weather` , position 2. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures"
    " for more details."
)
retry_statuses = frozenset[int]()
"""Google tells it in the body."""

FINISH = {"stop": "STOP", "tools": "STOP", "length": "MAX_TOKENS"}
Row = dict[str, Any]

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
MESSAGES = {
    400: "Request contains an invalid argument.",
    401: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid"
    " authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    403: "The caller does not have permission",
    404: "models/fault is not found for API version v1beta, or is not supported for generateContent."
    " Call ListModels to see the list of available models and their supported methods.",
    429: "You exceeded your current quota, please check your plan and billing details. For more information on this"
    " error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\nPlease retry in 2s.",
    500: "An internal error has occurred. Please retry or report in"
    " https://developers.generativeai.google/guide/troubleshooting",
    503: "The model is overloaded. Please try again later.",
    504: "The request timed out. Please try again.",
}


def _detail(kind: str, **fields: Any) -> Row:
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}


QUOTA = {
    "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
    "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
    "quotaDimensions": {"location": "global", "model": "fault"},
    "quotaValue": "10",
}
HELP = {
    "description": "Learn more about Gemini API quotas",
    "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
}
SERVICE = {"domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}}
DETAILS: dict[int | str, list[Row]] = {
    401: [_detail("ErrorInfo", reason="ACCESS_TOKEN_TYPE_UNSUPPORTED", **SERVICE)],
    429: [
        _detail("QuotaFailure", violations=[QUOTA]),
        _detail("Help", links=[HELP]),
        _detail("RetryInfo", retryDelay="2s"),
    ],
    BAD_KEY: [
        _detail("ErrorInfo", reason="API_KEY_INVALID", **SERVICE),
        _detail("LocalizedMessage", locale="en-US", message=BAD_KEY),
    ],
}
"""Details by status, or by the message where that says more."""


def usage(counts: Usage) -> Row:
    """Counts as this format has them: reasoning stands apart, and what is zero is left out."""
    optional = {"cachedContentTokenCount": counts.cached, "thoughtsTokenCount": counts.reasoning}
    return {
        "promptTokenCount": counts.prompt,
        "candidatesTokenCount": counts.output - counts.reasoning,
        "totalTokenCount": counts.prompt + counts.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": counts.prompt}],
        **{name: count for name, count in optional.items() if count},
    }


def body(reply: Reply) -> Row:
    """The whole answer as one response."""
    return _response(reply, list(_parts(reply, whole=True)), reply.usage, FINISH[reply.finish])


def events(reply: Reply) -> list[Event]:
    """The answer as responses of one part each; the last one has an empty text, the finish reason and all counts."""
    parts = enumerate(_parts(reply, whole=False), 1)
    rows = [_response(reply, [part], _so_far(reply.usage, number)) for number, part in parts]
    rows.append(_response(reply, [{"text": ""}], reply.usage, FINISH[reply.finish]))
    return [(None, row) for row in rows]


def _so_far(counts: Usage, number: int) -> Usage:
    return replace(counts, output=min(number, counts.output), reasoning=0)


def _response(reply: Reply, parts: list[Row], counts: Usage, finish: str = "") -> Row:
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    finished = {"finishReason": finish} if finish else {}
    return {
        "candidates": [{"content": content, **finished, "index": 0}],
        "usageMetadata": usage(counts),
        "modelVersion": reply.model,
        "responseId": "resp-fault",
    }


def _parts(reply: Reply, *, whole: bool) -> Iterator[Row]:
    """The parts of the answer; the signature waits for the next function call."""
    waiting: Row = {}
    for part in reply.parts:
        if isinstance(part, ToolUse):
            call_id = {"id": part.id} if reply.call_ids else {}
            yield {"functionCall": {**call_id, "name": part.name, "args": part.arguments}, **waiting}
            waiting = {}
            continue
        thought = {"thought": True} if isinstance(part, Thinking) else {}
        yield from ({"text": text, **thought} for text in ((part.whole,) if whole else part.pieces) if text)
        waiting = {"thoughtSignature": encoded(part.signature)} if isinstance(part, Thinking) else waiting
    if waiting:
        yield {"text": "", **waiting}


def encoded(signature: str) -> str:
    """A signature as this format sends it."""
    return base64.b64encode(signature.encode()).decode()


def error(status: int, message: str | None = None) -> Row:
    """The error body for `status`; a status that this provider does not know looks like its nearest."""
    code = status if status in STATUSES else 503 if status > 500 else 400
    details = DETAILS.get(message or code, DETAILS.get(code, []))
    known = {"code": code, "message": message or MESSAGES[code], "status": STATUSES[code]}
    return {"error": {**known, "details": details} if details else known}


def error_event(status: int, _: int = 0) -> Event:
    """An error inside a stream that began with 200."""
    return None, error(status)


def headers() -> dict[str, str]:
    """What the provider adds to every response."""
    return {"server": "scaffolding on HTTPServer2", "server-timing": "gfet4t7; dur=12", "vary": "Origin, X-Origin"}


def models(names: list[str]) -> Row:
    """The answer of `GET /models`."""
    methods = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
    rows = [
        {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name.title(),
            "description": f"{name.title()} of the upstream",
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": methods,
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
            "thinking": True,
        }
        for name in names
    ]
    return {"models": rows}


def counted(tokens: int) -> Row:
    """The answer of `:countTokens`."""
    return {"totalTokens": tokens}


def asked_for_usage(_: Row) -> bool:
    """This format's streams always carry usage."""
    return True


def asked_for_signatures(_: Row) -> bool:
    """Function calls always carry their signature."""
    return True
