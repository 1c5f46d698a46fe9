"""Token counts, vectors, lists of models, and what only one provider can do: native where it is, told where not."""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.fault_upstream import FaultUpstream, story
from tests.fault_upstream.embeddings import vector
from tests.reliability.dialects import DIALECTS
from tests.reliability.talk import SPOKEN, Heard, ask, backends_at, body_of
from tests.support.proxy import RunningProxy, running_proxy

# token counts

COUNT_PATHS = {
    "openai-responses": "/v1/responses/input_tokens",
    "anthropic": "/v1/messages/count_tokens",
    "gemini": "/v1beta/models/{model}:countTokens",
}
COUNTING = [(client, backend) for client in COUNT_PATHS for backend in SPOKEN]
COUNTED = {"openai-responses": "input_tokens", "anthropic": "input_tokens", "gemini": "totalTokens"}


def count_path(client: str, model: str) -> str:
    return COUNT_PATHS[client].replace("{model}", quote(model, safe=""))


def count_body(client: str, model: str, **fields: Any) -> bytes:
    """What this client counts: requests as they are, but for their limits."""
    body = json.loads(body_of(client, model))
    for name in ("max_tokens", "max_output_tokens", "stream", "generationConfig"):
        body.pop(name, None)
    return json.dumps({**body, **fields}).encode()


async def count(proxy: RunningProxy, client: str, model: str, **fields: Any) -> Heard:
    return await ask(proxy, client, path=count_path(client, model), body=count_body(client, model, **fields))


@pytest.mark.parametrize(("client", "backend"), COUNTING)
async def test_tokens_are_counted_where_somebody_counts(proxy, upstream, client, backend):
    model = story("answer", prompt=1234)
    heard = await count(proxy, client, f"{backend}:{model}")
    assert heard.status == 200, heard
    counted = heard.json[COUNTED[client]]
    if backend == "openai":
        assert 0 < counted < 100
        assert heard.headers["x-llm-proxy-token-count"] == "estimated"
        assert not upstream.log.of(model)
        return
    assert counted == 1234
    (exchange,) = upstream.log.of(model)
    assert exchange.path == count_path(backend, model)
    assert heard.headers["x-llm-proxy-lane"] == ("passthrough" if client == backend else "translated")
    assert heard.headers["x-llm-proxy-token-count"] == "native"


@pytest.mark.parametrize("client", COUNT_PATHS)
async def test_a_count_in_the_own_format_passes_byte_for_byte(proxy, upstream, client):
    model = story("answer")
    body = count_body(client, f"{client}:{model}", unknown=[1.0, "\u2028"])
    await ask(proxy, client, path=count_path(client, f"{client}:{model}"), body=body)
    assert upstream.log.of(model)[0].body == body.replace(f"{client}:{model}".encode(), model.encode())


@pytest.mark.parametrize(("client", "backend"), COUNTING)
async def test_a_count_that_fails_is_an_error_in_the_client_s_format(proxy, client, backend):
    if backend == "openai":
        return
    heard = await count(proxy, client, f"{backend}:{story('status', code=429)}")
    assert heard.status == 429
    assert heard.error["message"]
    assert heard.error[DIALECTS[client].error_kind]


@pytest.mark.parametrize("client", COUNT_PATHS)
async def test_an_estimate_grows_with_what_is_estimated(proxy, client):
    field = {"anthropic": "system", "openai-responses": "instructions", "gemini": "systemInstruction"}[client]

    async def estimated(size: int) -> int:
        text: Any = "word " * size
        heard = await count(
            proxy, client, "openai:m", **{field: {"parts": [{"text": text}]} if client == "gemini" else text}
        )
        assert heard.status == 200, heard
        return int(heard.json[COUNTED[client]])

    short, long = await estimated(10), await estimated(1010)
    assert 900 <= long - short <= 1600


@pytest.mark.parametrize("client", COUNT_PATHS)
@pytest.mark.parametrize("backend", SPOKEN)
async def test_a_wrong_request_to_count_is_a_400(proxy, client, backend):
    model = f"{backend}:{story('answer', lax=1)}"
    for body in (b"", b"{", b"[]", count_body(client, model, messages=7, input=7, contents=7)):
        heard = await ask(proxy, client, path=count_path(client, model), body=body)
        if client == backend and heard.status == 200:
            continue  # the upstream's to judge
        assert heard.status == 400, (body, heard)
        assert heard.error["message"]


async def test_a_gemini_count_may_hold_a_whole_request(proxy):
    request = {"generateContentRequest": {"model": "models/x", **json.loads(body_of("gemini", "x"))}}
    path = count_path("gemini", f"anthropic:{story('answer', prompt=99)}")
    heard = await ask(proxy, "gemini", path=path, body=json.dumps(request).encode())
    assert (heard.status, heard.json["totalTokens"]) == (200, 99)


async def test_a_client_without_a_stream_in_mind_gets_none(proxy):
    body = count_body("anthropic", f"gemini:{story('answer')}", stream=True)
    heard = await ask(proxy, "anthropic", path=COUNT_PATHS["anthropic"], body=body)
    assert (heard.status, heard.json) == (200, {"input_tokens": 21})


# embeddings

EMBEDDING = ["openai", "openai-responses", "gemini"]
TEXTS = ["hello", "naïve café ☕", ""]


async def embed_openai(proxy: RunningProxy, model: str, given: Any, **fields: Any) -> Heard:
    body = json.dumps({"model": model, "input": given, **fields}).encode()
    return await ask(proxy, "openai", path="/v1/embeddings", body=body)


async def embed_gemini(proxy: RunningProxy, model: str, verb: str, body: Any) -> Heard:
    path = f"/v1beta/models/{quote(model, safe='')}:{verb}"
    return await ask(proxy, "gemini", path=path, body=json.dumps(body).encode())


def content(text: str) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text}]}}


@pytest.mark.parametrize("backend", EMBEDDING)
@pytest.mark.parametrize("dimensions", [None, 7])
async def test_openai_clients_get_vectors_from_all_who_have_them(proxy, upstream, backend, dimensions):
    model, asked = story("answer"), {"dimensions": dimensions} if dimensions else {}
    heard = await embed_openai(proxy, f"{backend}:{model}", TEXTS, **asked)
    assert heard.status == 200, heard
    assert [row["index"] for row in heard.json["data"]] == [0, 1, 2]
    assert [row["embedding"] for row in heard.json["data"]] == [vector(len(text), dimensions or 4) for text in TEXTS]
    assert heard.json["usage"].keys() == {"prompt_tokens", "total_tokens"}
    assert heard.headers["x-llm-proxy-lane"] == ("translated" if backend == "gemini" else "passthrough")
    assert len(upstream.log.of(model)) == 1


@pytest.mark.parametrize("backend", EMBEDDING)
async def test_openai_clients_get_base64_where_they_ask_for_it(proxy, backend):
    heard = await embed_openai(proxy, f"{backend}:{story('answer')}", "hello", encoding_format="base64")
    (row,) = heard.json["data"]
    assert list(struct.unpack("<4f", base64.b64decode(row["embedding"]))) == vector(5)


@pytest.mark.parametrize("backend", EMBEDDING)
async def test_gemini_clients_get_vectors_from_all_who_have_them(proxy, upstream, backend):
    model = story("answer")
    one = await embed_gemini(proxy, f"{backend}:{model}", "embedContent", content("hello"))
    assert (one.status, one.json["embedding"]["values"]) == (200, vector(5)), one
    batch = {"requests": [{"model": "models/x", **content(text), "outputDimensionality": 6} for text in TEXTS]}
    many = await embed_gemini(proxy, f"{backend}:{model}", "batchEmbedContents", batch)
    assert [row["values"] for row in many.json["embeddings"]] == [vector(len(text), 6) for text in TEXTS], many
    lane = "passthrough" if backend == "gemini" else "translated"
    assert {one.headers["x-llm-proxy-lane"], many.headers["x-llm-proxy-lane"]} == {lane}
    assert len(upstream.log.of(model)) == 2


async def test_an_upstream_without_vectors_is_a_400_in_the_client_s_format(proxy, upstream):
    model = story("answer")
    for client, heard in (
        ("openai", await embed_openai(proxy, f"anthropic:{model}", "hello")),
        ("gemini", await embed_gemini(proxy, f"anthropic:{model}", "embedContent", content("hello"))),
        (
            "gemini",
            await embed_gemini(proxy, f"anthropic:{model}", "batchEmbedContents", {"requests": [content("hello")]}),
        ),
    ):
        assert heard.status == 400
        assert "embeddings" in heard.error["message"]
        assert "anthropic" in heard.error["message"]
        assert heard.error[DIALECTS[client].error_kind] in ("invalid_request_error", "INVALID_ARGUMENT")
    assert not upstream.log.of(model)


WRONG_INPUTS = [None, 7, {}, [], [None], [{}], [[]], [["a"]], [True], [[1, "a"]], ""]


@pytest.mark.parametrize("backend", SPOKEN)
async def test_wrong_requests_for_vectors_are_no_5xx(proxy, backend):
    for given in WRONG_INPUTS:
        heard = await embed_openai(proxy, f"{backend}:{story('answer')}", given)
        assert backend in EMBEDDING[:2] or heard.status in (200, 400), (given, heard)
    for body in ({}, {"content": 7}, {"content": {"parts": 7}}, {"requests": 7}, {"requests": [7]}, {"requests": []}):
        for verb in ("embedContent", "batchEmbedContents"):
            heard = await embed_gemini(proxy, f"{backend}:{story('answer')}", verb, body)
            assert backend == "gemini" or heard.status == 400, (verb, body, heard)


async def test_tokens_in_place_of_text_are_refused_where_nobody_knows_them(proxy):
    heard = await embed_openai(proxy, f"gemini:{story('answer')}", [[1, 2, 3]])
    assert heard.status == 400
    assert "input" in heard.error["message"]


# what only one provider can do

NATIVE_ONLY = [
    ("openai-responses", {"previous_response_id": "resp_1"}, "previous_response_id"),
    ("openai-responses", {"conversation": "conv_1"}, "conversation"),
    ("openai-responses", {"background": True}, "background"),
    ("openai-responses", {"prompt": {"id": "pmpt_1"}}, "prompt"),
    ("openai-responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "item_reference"),
    ("gemini", {"cachedContent": "cachedContents/x"}, "cachedContent"),
    ("gemini", {"cached_content": "cachedContents/x"}, "cachedContent"),
]


@pytest.mark.parametrize(("client", "fields", "name"), NATIVE_ONLY)
@pytest.mark.parametrize("backend", SPOKEN)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_must_not_be_ignored_is_passed_on_or_refused(proxy, upstream, client, fields, name, backend, stream):
    model = story("answer")
    heard = await ask(proxy, client, f"{backend}:{model}", stream=stream, **fields)
    if client == backend:
        assert heard.status == 200, heard
        assert heard.headers["x-llm-proxy-lane"] == "passthrough"
        assert fields.items() <= upstream.log.of(model)[0].json.items()
        return
    assert heard.status == 400
    assert name in heard.error["message"]
    assert heard.error[DIALECTS[client].error_kind] in ("invalid_request_error", "INVALID_ARGUMENT")
    assert not upstream.log.of(model)


@pytest.mark.parametrize("backend", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize(
    "fields", [{"previous_response_id": None}, {"background": False}, {"store": True}, {"store": False}]
)
async def test_what_asks_for_nothing_is_refused_by_nobody(proxy, backend, fields):
    heard = await ask(proxy, "openai-responses", f"{backend}:{story('answer')}", **fields)
    assert heard.status == 200, heard


# lists of models

MODELS = ["alpha", "beta/with slash", "gamma☕"]


@pytest.fixture(scope="module")
def listing_proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    with running_proxy({"backends": backends_at(upstream, models=MODELS)}) as running:
        yield running


OFFERED = [f"{name}:{model}" for name in SPOKEN for model in MODELS]
GEMINI_KEY = {"x-goog-api-key": "any"}
VERSION = {"anthropic-version": "2023-06-01"}


def openai_ids(body: Any) -> list[str]:
    assert body["object"] == "list"
    assert all(row["object"] == "model" for row in body["data"])
    return [row["id"] for row in body["data"]]


def anthropic_ids(body: Any) -> list[str]:
    assert all(row["type"] == "model" for row in body["data"])
    assert (body["first_id"], body["last_id"]) == (body["data"][0]["id"], body["data"][-1]["id"])
    return [row["id"] for row in body["data"]]


def gemini_ids(body: Any) -> list[str]:
    return [row["name"].removeprefix("models/") for row in body["models"]]


@pytest.mark.parametrize(
    ("path", "headers", "ids"),
    [
        ("/v1/models", {}, openai_ids),
        ("/v1/models", {"authorization": "Bearer x"}, openai_ids),
        ("/v1/models", VERSION, anthropic_ids),
        ("/v1/models?limit=1000", VERSION, anthropic_ids),
        ("/v1/models", GEMINI_KEY, gemini_ids),
        ("/v1/models?key=any", {}, gemini_ids),
        ("/v1beta/models", {}, gemini_ids),
        ("/v1beta/models", VERSION, gemini_ids),
        ("/v1beta/models?key=any", {}, gemini_ids),
        ("/v1beta/models?pageSize=1000", GEMINI_KEY, gemini_ids),
    ],
)
def test_a_list_of_models_speaks_the_client_s_dialect(listing_proxy, path, headers, ids):
    got = listing_proxy.get(path, headers)
    assert got.status == 200
    assert sorted(ids(got.json)) == sorted(OFFERED)


@pytest.mark.parametrize("size", [1, 5, 11, 12, 13])
def test_anthropic_clients_turn_pages(listing_proxy, size):
    seen: list[str] = []
    query = f"limit={size}"
    while True:
        page = listing_proxy.get(f"/v1/models?{query}", VERSION).json
        seen += anthropic_ids(page)
        if not page["has_more"]:
            break
        assert len(page["data"]) == size
        query = f"limit={size}&after_id={quote(page['last_id'], safe='')}"
    assert sorted(seen) == sorted(OFFERED)
    back = listing_proxy.get(f"/v1/models?limit={size}&before_id={quote(seen[-1], safe='')}", VERSION).json
    assert anthropic_ids(back) == seen[:-1][-size:]


@pytest.mark.parametrize("size", [1, 5, 11, 12, 13])
@pytest.mark.parametrize("path", ["/v1beta/models", "/v1/models"])
@pytest.mark.parametrize("names", [("pageSize", "pageToken"), ("page_size", "page_token")])
def test_gemini_clients_turn_pages(listing_proxy, size, path, names):
    seen: list[str] = []
    query = f"{names[0]}={size}"
    while True:
        page = listing_proxy.get(f"{path}?{query}", GEMINI_KEY).json
        seen += gemini_ids(page)
        if "nextPageToken" not in page:
            break
        assert len(page["models"]) == size
        query = f"{names[0]}={size}&{names[1]}={quote(page['nextPageToken'], safe='')}"
    assert sorted(seen) == sorted(OFFERED)


LONG = "9" * 5000


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        *((f"/v1/models?limit={value}", VERSION) for value in ("0", "-1", "x", "1001", "1.5", "%D9%A3x", LONG)),
        *((f"/v1/models?{name}=nobody", VERSION) for name in ("after_id", "before_id")),
        *((f"/v1beta/models?pageSize={value}", {}) for value in ("x", "1.5", "-1")),
        *((f"/v1beta/models?pageToken={value}", {}) for value in ("x", "%FF", "bm9ib2R5", "é")),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_page_that_is_none_is_a_400(listing_proxy, path, headers):
    got = listing_proxy.get(quote(path, safe="/?=&%"), headers)
    assert got.status == 400
    assert got.json["error"]["message"]


@pytest.mark.parametrize("value", ["", "0", LONG])
def test_an_odd_size_of_a_page_is_no_5xx(listing_proxy, value):
    assert listing_proxy.get(f"/v1beta/models?pageSize={value}").status in (200, 400)
    assert listing_proxy.get(f"/v1/models?limit={value}", VERSION).status in (200, 400)
    assert listing_proxy.get(f"/v1/models?limit={value}").status == 200


@pytest.mark.parametrize("name", OFFERED[:3])
def test_one_model_is_described_in_the_client_s_dialect(listing_proxy, name):
    address = quote(name, safe="")
    assert listing_proxy.get(f"/v1/models/{address}").json["id"] == name
    assert listing_proxy.get(f"/v1/models/{address}", VERSION).json["display_name"]
    for path, headers in ((f"/v1/models/{address}", GEMINI_KEY), (f"/v1beta/models/{address}", {})):
        assert listing_proxy.get(path, headers).json["name"] == f"models/{name}"


@pytest.mark.parametrize("path", ["/v1beta/models/nobody", "/v1beta/models/openai:nothing", "/v1beta/models/"])
def test_a_model_that_is_none_is_a_404(listing_proxy, path):
    got = listing_proxy.get(path)
    assert got.status == 404
    assert got.json["error"]["status"] == "NOT_FOUND"


async def test_somebody_is_there(listing_proxy):
    heard = await ask(listing_proxy, "anthropic", method="HEAD", path="/")
    assert (heard.status, heard.body) == (200, b"")
