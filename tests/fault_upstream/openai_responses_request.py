"""Reading a request of OpenAI's Responses, and refusing what api.openai.com refuses, in its words."""

from collections.abc import Iterator
from typing import Any

from tests.fault_upstream import openai
from tests.fault_upstream.reply import SIGNATURE, THOUGHT, RefusedError

MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
}
"""Parameters of Chat Completions, and where Responses has them."""

NEVER_HAD = (
    *("n", "stop", "seed", "logit_bias", "logprobs", "frequency_penalty", "presence_penalty", "modalities", "audio"),
    *("prediction", "functions", "function_call", "web_search_options", "top_k", "stop_sequences", "system"),
)
"""Parameters of other formats that Responses does not know."""

NAMED_TOOLS = {"function", "custom", "namespace"}
ID_PREFIXES = {"function_call": "fc", "reasoning": "rs", "message": "msg"}
OUTPUTS = ("function_call_output", "custom_tool_call_output")
CALLS = ("function_call", "custom_tool_call")
WRONG_PARTS = {"assistant": ("input_text", "input_image", "input_file"), "user": ("output_text", "refusal")}


def asked_for_signatures(request: dict[str, Any]) -> bool:
    """Whether reasoning items shall carry `encrypted_content`."""
    return "reasoning.encrypted_content" in (request.get("include") or [])


def offered_tool(request: dict[str, Any]) -> str | None:
    """The name of the first function in the request."""
    return next((tool["name"] for tool in request.get("tools") or [] if tool.get("type") == "function"), None)


def tool_results(request: dict[str, Any]) -> dict[str, str]:
    """Tool results by call id."""
    return {item["call_id"]: _plain(item["output"]) for item in _items(request, *OUTPUTS)}


def thoughts(request: dict[str, Any]) -> list[tuple[str, str]]:
    """Summary and encrypted content of every reasoning item that came back, or that this provider has stored."""
    if request.get("previous_response_id"):
        return [(THOUGHT, SIGNATURE)]
    return [(_summary(item), _secret(item, request)) for item in _items(request, "reasoning")]


def _summary(item: dict[str, Any]) -> str:
    return "".join(part["text"] for part in item["summary"])


def _secret(item: dict[str, Any], request: dict[str, Any]) -> str:
    """What came back, or what belongs to the id of a stored item."""
    stored = request.get("store") is not False and str(item.get("id")).startswith("rs_fault")
    return item.get("encrypted_content") or (SIGNATURE if stored else "")


def images(request: dict[str, Any]) -> list[str]:
    """The URL of every image, `data:` ones and those in tool results included."""
    contents = [item["content"] for item in _items(request, "message")]
    contents += [item["output"] for item in _items(request, *OUTPUTS)]
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return [part["image_url"] for part in parts if part["type"] == "input_image"]


def _items(request: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    """The input items of these kinds; one without a type is a message."""
    said = request.get("input")
    return [item for item in said if item.get("type", "message") in kinds] if isinstance(said, list) else []


def _plain(output: Any) -> str:
    return "".join(part.get("text", "") for part in output) if isinstance(output, list) else str(output)


def check(headers: dict[str, str], request: dict[str, Any]) -> None:
    """Refuse a request without a bearer key, and one that is still in another format or lacks half of a pair."""
    openai.check(headers, request)
    for refusal in _refusals(request):
        raise RefusedError(refusal)


def _refusals(request: dict[str, Any]) -> Iterator[str]:
    yield from _wrong_parameters(request)
    yield from _unnamed_tools(request)
    yield from _wrong_ids(request)
    yield from _wrong_content(request)
    yield from _unpaired(request)


def _wrong_parameters(request: dict[str, Any]) -> Iterator[str]:
    for name in filter(MOVED.get, request):
        yield (
            f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to '{MOVED[name]}'."
            " Try again with the new parameter. See the API documentation for more information:"
            " https://platform.openai.com/docs/api-reference/responses/create."
        )
    for name in filter(NEVER_HAD.__contains__, request):
        yield f"Unknown parameter: '{name}'."


def _unnamed_tools(request: dict[str, Any]) -> Iterator[str]:
    for index, tool in enumerate(request.get("tools") or []):
        if tool.get("type") in {None, *NAMED_TOOLS} and not tool.get("name"):
            yield f"Missing required parameter: 'tools[{index}].{'name' if tool.get('type') else 'type'}'."


def _wrong_ids(request: dict[str, Any]) -> Iterator[str]:
    for index, item in enumerate(_items(request, *ID_PREFIXES)):
        prefix = ID_PREFIXES[item.get("type", "message")]
        if not str(item.get("id") or prefix).startswith(prefix):
            yield f"Invalid 'input[{index}].id': '{item['id']}'. Expected an ID that begins with '{prefix}'."


def _wrong_content(request: dict[str, Any]) -> Iterator[str]:
    for index, item in enumerate(_items(request, "message")):
        kinds = [part.get("type") for part in item["content"]] if isinstance(item["content"], list) else []
        for kind in set(kinds) & set(WRONG_PARTS.get(item["role"], ())):
            yield f"Invalid value: '{kind}'. (param: input[{index}].content, role: {item['role']})"


def _unpaired(request: dict[str, Any]) -> Iterator[str]:
    called = {item["call_id"] for item in _items(request, *CALLS)}
    answered = {item["call_id"] for item in _items(request, *OUTPUTS)}
    for call_id in sorted(called - answered):
        yield f"No tool output found for function call {call_id}."
    for call_id in sorted(answered - called) if not request.get("previous_response_id") else ():
        yield f"No tool call found for function call output with call_id {call_id}."
