"""Who is let in, what leaves, and what never does."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.fault_upstream import FaultUpstream, response, story
from tests.reliability.dialects import DIALECTS
from tests.reliability.talk import KEYS, PAIRS, SPOKEN, Heard, ask, backends_at, body_of, parse, path_of, send_raw
from tests.support.proxy import RunningProxy, running_proxy

KEY = "sk-proxy-key-of-the-operator"
OPEN_PATHS = ("/healthz", "/readyz")
METHODS_OF_GEMINI = (
    *("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents", "nothing"),
)
CLOSED_PATHS = [
    *(path_of(client) for client in SPOKEN),
    *("/v1/responses/input_tokens", "/v1/messages/count_tokens", "/v1/embeddings", "/metrics", "/metrics/"),
    *(f"/{version}/models/m:{method}" for version in ("v1", "v1beta") for method in METHODS_OF_GEMINI),
    *("/v1beta/models", "/v1beta/models/openai:listed", "/v1beta", "/v1beta/", "/v1beta/models/", "/v1beta/openai"),
    *("/v1/models", "/v1/models/openai:listed", "/", "/v1", "/v1/", "/nothing", "/docs", "/openapi.json"),
]
SPELLINGS = [
    *("//healthz", "/healthz/", "/healthz//", "/healthz;x", "/healthz%2f", "/healthz/../v1/models", "/healthz%3f"),
    *("/./healthz", "/HEALTHZ", "/healthz%00", "/healthz.json", "/v1/models?x=/healthz", "/v1/models#/healthz"),
    *("/%2e%2e/healthz", "/v1/models/../../healthz", "/v1//models", "//v1/models", "/v1/%6dodels", "/V1/MODELS"),
    *("http://127.0.0.1/v1/models", "http://evil.example/v1/models", "/healthz\\..\\v1\\models", "/readyz/x"),
    *("/v1/models/healthz", "/v1/models/%2fhealthz", "/v1/chat/completions/", "/v1/chat%2fcompletions", "*"),
    *("/healthz%2f..%2fv1", "/healthz%252f", "/.healthz", "healthz", "/healthz%20", "/ /healthz"),
    *("/v1beta/models/x%2f..%2f..%2fhealthz", "/v1beta/models/healthz:generateContent", "/metrics?x=/healthz"),
    *("/v1/models/m:generateContent?key=", "/healthz:generateContent", "/v1beta/models/..:countTokens"),
]
HOSTS = ["127.0.0.1", "localhost", "evil.example", "127.0.0.1/healthz?", "evil.example:80", "[::1]", "healthz", ""]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"]


@pytest.fixture(scope="module")
def locked_proxy(upstream: FaultUpstream) -> Iterator[RunningProxy]:
    config = {"backends": backends_at(upstream), "auth": {"keys": ["another-key-of-some-length", KEY]}}
    with running_proxy(config) as running:
        yield running


async def status_of(proxy: RunningProxy, method: str, path: str, headers: dict[str, str]) -> int:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, "connection: close", "content-length: 0", "", ""])
    return parse(await send_raw(proxy, head.encode("latin-1"))).status


async def test_without_a_key_nothing_is_open_but_health(locked_proxy, upstream):
    before = len(upstream.log)
    for path in (*CLOSED_PATHS, *SPELLINGS):
        for method in METHODS:
            assert await status_of(locked_proxy, method, path, {"host": "127.0.0.1"}) in (400, 401), (method, path)
    for host in HOSTS:
        for path in CLOSED_PATHS:
            assert await status_of(locked_proxy, "POST", path, {"host": host}) in (400, 401), (host, path)
    for path in OPEN_PATHS:
        assert await status_of(locked_proxy, "GET", path, {"host": "127.0.0.1"}) == 200
    assert len(upstream.log) == before


UNKNOWN_KEY = {
    "openai": "invalid_request_error",
    "openai-responses": "invalid_request_error",
    "anthropic": "authentication_error",
    "gemini": "UNAUTHENTICATED",
}


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"authorization": f"Bearer {KEY.upper()}"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer {KEYS['openai']}"},
        {"authorization": "Bearer cl\xe9\xff\xa0"},
        {"x-api-key": "cl\xe9\xff\xa0"},
        {"x-api-key": "0" * 20_000},
        {"x-goog-api-key": "' OR 1=1 --"},
        {"x-api-key": f"{KEY}, {KEY}"},
        {"cookie": f"key={KEY}"},
        {"proxy-authorization": f"Bearer {KEY}"},
    ],
)
async def test_a_wrong_key_is_a_401_in_the_client_s_format(locked_proxy, client, headers):
    heard = await ask(locked_proxy, client, f"{client}:{story('answer')}", headers=headers)
    assert heard.status == 401
    assert heard.error["message"]
    assert heard.error[DIALECTS[client].error_kind] == UNKNOWN_KEY[client]
    assert KEY.encode() not in heard.body


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer {KEY}"},
        {"authorization": f"Bearer  {KEY} "},
        {"x-api-key": KEY},
        {"X-Goog-Api-Key": KEY},
    ],
)
async def test_the_right_key_opens(locked_proxy, client, headers):
    heard = await ask(locked_proxy, client, f"{client}:{story('answer')}", headers=headers)
    assert heard.status == 200


def with_query(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "query", [f"key={KEY}", f"x=1&key={KEY}&y=2", f"key=no&key={KEY}", f"key={quote(KEY, safe='').replace('-', '%2D')}"]
)
async def test_the_right_key_in_the_query_opens_and_goes_no_further(locked_proxy, upstream, client, stream, query):
    model = story("answer")
    path = with_query(path_of(client, f"{client}:{model}", stream), query)
    heard = await ask(locked_proxy, client, f"{client}:{model}", stream=stream, path=path)
    assert heard.status == 200
    assert KEY not in upstream.log.of(model)[0].path
    assert KEY not in json.dumps(upstream.log.of(model)[0].request.headers)


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (f"key={KEY}x", {}),
        ("key=", {}),
        (f"monkey={KEY}", {}),
        (f"key={KEY}&key=x", {}),
        (f"key={KEY}", {"x-api-key": "another"}),
        (f"key={KEY}", {"authorization": "Bearer another"}),
        ("key=cl%e9%ff", {}),
        (f"api_key={KEY}", {}),
    ],
)
async def test_a_wrong_key_in_the_query_is_a_401(locked_proxy, upstream, client, query, headers):
    model = story("answer")
    path = with_query(path_of(client, f"{client}:{model}"), query)
    heard = await ask(locked_proxy, client, f"{client}:{model}", path=path, headers=headers)
    assert heard.status == 401
    assert heard.error[DIALECTS[client].error_kind] == UNKNOWN_KEY[client]
    assert KEY.encode() not in heard.body
    assert not upstream.log.of(model)


async def test_the_metrics_and_the_probe_want_a_key_like_all_else(locked_proxy):
    for method, path in (("GET", "/metrics"), ("HEAD", "/"), ("GET", "/v1beta/models")):
        assert await status_of(locked_proxy, method, path, {"host": "x"}) == 401
        assert await status_of(locked_proxy, method, path, {"host": "x", "x-goog-api-key": KEY}) == 200
        assert await status_of(locked_proxy, method, f"{path}?key={KEY}", {"host": "x"}) == 200


# what stands in the address

PASSED_ON = {"anthropic": "beta=true"}


@pytest.mark.parametrize(("client", "backend"), PAIRS)
@pytest.mark.parametrize("stream", [True, False])
async def test_foreign_parameters_of_the_query_stay_here(proxy, upstream, client, backend, stream):
    model = story("answer")
    query = "beta=true&secret=s1&api-version=7&alt=sse&$.xgafv=1&prettyPrint=false&fields=x"
    path = with_query(path_of(client, f"{backend}:{model}", stream), query)
    assert (await ask(proxy, client, f"{backend}:{model}", stream=stream, path=path)).status == 200
    sent = upstream.log.of(model)[0].path.partition("?")[2]
    own = PASSED_ON.get(client, "") if client == backend else ""
    assert sent == (own or ("alt=sse" if backend == "gemini" and stream else ""))


#: Names that would leave their place in an address, were they put there as they are.
ATTACKS = [
    *("../../secret", "..", ".", "a/b", "x?y=z", "x#y", "x&key=1", "%2e%2e", "%2e%2e%2fsecret", "x%00", "x%0d%0ay"),
    *(
        "a b",
        "x:generateContent",
        "x:streamGenerateContent",
        "//evil.example",
        "http://evil.example/",
        "\\..\\x",
        "é☕",
    ),
    *("{model}", "tunedModels/x", "x;y", "@evil.example", ":", "a+b", "~root", "x%", "%zz"),
]


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_s_name_stays_one_segment_of_the_address(proxy, upstream, client, stream):
    end = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
    for name in ATTACKS:
        before = len(upstream.log)
        await ask(proxy, client, f"gemini:{name}", stream=stream)
        (exchange,) = tuple(upstream.log)[before:]
        assert exchange.path == f"/v1beta/models/{quote(name, safe='')}{end}", name


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("backend", ["openai", "openai-responses", "anthropic"])
async def test_a_model_s_name_is_no_part_of_an_address_that_has_none(proxy, upstream, client, backend):
    expected = {"openai": "/v1/chat/completions", "openai-responses": "/v1/responses", "anthropic": "/v1/messages"}
    for name in ATTACKS:
        before = len(upstream.log)
        await ask(proxy, client, f"{backend}:{name}")
        (exchange,) = tuple(upstream.log)[before:]
        assert (exchange.path, exchange.json["model"]) == (expected[backend], name)


@pytest.mark.parametrize("operation", ["countTokens", "embedContent", "batchEmbedContents"])
async def test_a_model_s_name_stays_one_segment_whatever_is_asked_of_it(proxy, upstream, operation):
    for name in ATTACKS:
        before = len(upstream.log)
        path = f"/v1beta/models/{quote('gemini:' + name, safe='')}:{operation}"
        await ask(proxy, "gemini", path=path, body=b'{"contents":[],"content":{"parts":[{"text":"x"}]},"requests":[]}')
        (exchange,) = tuple(upstream.log)[before:]
        assert exchange.path == f"/v1beta/models/{quote(name, safe='')}:{operation}", name


LOOPBACK_NAMES = ["127.0.0.1", "127.0.0.1:8765", "127.8.9.1", "localhost", "LOCALHOST:1", "a.localhost", "[::1]:1"]
FOREIGN_NAMES = [
    *("evil.example", "evil.example:8765", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1"),
    *("", "[::2]", "2130706433.example", "localhost@evil.example", "xn--lcalhost-7za", "127.0.0.1@evil.example"),
]


@pytest.mark.parametrize("host", LOOPBACK_NAMES)
async def test_without_keys_this_machine_is_served(proxy, host):
    assert (await ask(proxy, "openai", f"openai:{story('answer')}", headers={"host": host})).status == 200


@pytest.mark.parametrize("host", FOREIGN_NAMES)
async def test_without_keys_a_foreign_host_is_refused(proxy, upstream, host):
    for client in SPOKEN:
        model = story("answer")
        heard = await ask(proxy, client, f"openai:{model}", headers={"host": host})
        assert heard.status == 403
        assert heard.error["message"]
        assert not upstream.log.of(model)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://127.0.0.1.evil.example", "null", "file://", "", "http://[::2]", "extension://x"],
)
async def test_without_keys_a_foreign_origin_is_refused(proxy, upstream, origin):
    model = story("answer")
    heard = await ask(proxy, "openai", f"openai:{model}", headers={"origin": origin})
    assert heard.status == 403
    assert not upstream.log.of(model)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:5173"])
async def test_without_keys_a_page_of_this_machine_is_served(proxy, origin):
    heard = await ask(proxy, "openai", f"openai:{story('answer')}", headers={"origin": origin})
    assert heard.status == 200
    assert not any(name.startswith("access-control-") for name in heard.headers)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://\xe9", "http://a:b:c"])
async def test_an_origin_that_is_no_url_does_not_crash_us(proxy, origin):
    assert (await ask(proxy, "openai", f"openai:{story('answer')}", headers={"origin": origin})).status == 403


# the loop guard


@pytest.mark.parametrize(("client", "backend"), PAIRS)
async def test_every_request_upstream_is_marked(proxy, upstream, client, backend):
    model = story("answer")
    await ask(proxy, client, f"{backend}:{model}")
    assert upstream.log.of(model)[0].headers["x-llmproxy-loop-guard"] == "1"


@pytest.mark.parametrize("client", SPOKEN)
@pytest.mark.parametrize("value", ["1", "0", "anything"])
async def test_a_request_that_comes_back_is_refused(proxy, upstream, client, value):
    model = story("answer")
    heard = await ask(proxy, client, f"{client}:{model}", headers={"X-LLMProxy-Loop-Guard": value})
    assert heard.status == 508
    assert "circle" in heard.error["message"]
    assert not upstream.log.of(model)


async def test_a_proxy_that_calls_itself_notices(upstream):
    async with running_proxy({"backends": backends_at(upstream)}) as inner:
        itself = {"type": "openai-compatible", "api_base_url": inner.address, "models": ["m"]}
        async with running_proxy({"backends": {"self": itself}}) as outer:
            heard = await ask(outer, "openai", f"self:openai:{story('answer')}")
            assert heard.status == 508


async def test_the_mark_can_be_left_out_for_one_backend(upstream):
    backends = backends_at(upstream)
    backends["openai"]["loop_guard"] = False
    async with running_proxy({"backends": backends}) as proxy:
        models = {backend: story("answer") for backend in SPOKEN}
        for client, backend in PAIRS:
            await ask(proxy, client, f"{backend}:{models[backend]}")
    for backend in SPOKEN:
        seen = upstream.log.of(models[backend])
        assert ["x-llmproxy-loop-guard" in each.headers for each in seen] == [backend != "openai"] * len(SPOKEN)


# headers

HOSTILE_HEADERS = {
    "authorization": "Bearer client-secret",
    "x-api-key": "client-secret",
    "x-goog-api-key": "client-secret",
    "cookie": "session=client-secret",
    "proxy-authorization": "Basic client-secret",
    "proxy-connection": "keep-alive",
    "x-forwarded-for": "10.1.2.3",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "https",
    "forwarded": "for=10.1.2.3",
    "x-real-ip": "10.1.2.3",
    "via": "1.1 somewhere",
    "referer": "http://secret.example",
    "te": "trailers",
    "keep-alive": "timeout=5",
    "upgrade-insecure-requests": "1",
    "accept-language": "de",
    "accept-encoding": "gzip, br",
    "accept": "text/html",
    "if-none-match": "x",
    "range": "bytes=0-1",
    "x-stainless-os": "Linux",
    "x-http-method-override": "DELETE",
    "x-unknown": "client-secret",
    "host": "127.0.0.1:1",
    "openai-api-key": "client-secret",
    "anthropic-api-key": "client-secret",
    "sec-fetch-site": "none",
}
SENT_UPSTREAM = {
    *("host", "user-agent", "accept", "accept-encoding", "content-type", "content-length", "x-llmproxy-loop-guard"),
}
OWN = {
    "openai": {"authorization"},
    "openai-responses": {"authorization"},
    "anthropic": {"x-api-key", "anthropic-version"},
    "gemini": {"x-goog-api-key"},
}
BETA = {"openai": "openai-beta", "openai-responses": "openai-beta", "anthropic": "anthropic-beta"}


@pytest.mark.parametrize(("client", "backend"), PAIRS)
@pytest.mark.parametrize("stream", [True, False])
async def test_only_listed_headers_go_upstream(proxy, upstream, client, backend, stream):
    model = story("answer")
    sent = {**HOSTILE_HEADERS, "anthropic-beta": "b-1", "openai-beta": "b-2", "anthropic-version": "2023-06-01"}
    assert (await ask(proxy, client, f"{backend}:{model}", stream=stream, headers=sent)).status == 200
    exchange = upstream.log.of(model)[0]
    beta = {BETA[client]} if client == backend and client in BETA else set()
    assert set(exchange.headers) == SENT_UPSTREAM | OWN[backend] | beta
    assert "client-secret" not in json.dumps(exchange.request.headers)
    assert KEYS[backend] in json.dumps(exchange.request.headers)
    assert exchange.headers["accept-encoding"] == "identity"
    assert exchange.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert all(exchange.headers[name] == sent[name] for name in beta)


UPSTREAM_HEADERS = {
    "set-cookie": "a=upstream-secret",
    "server": "nginx/upstream-secret",
    "connection": "keep-alive, x-hop",
    "keep-alive": "timeout=5",
    "x-hop": "1",
    "proxy-authenticate": "Basic",
    "trailer": "x",
    "www-authenticate": "Bearer upstream-secret",
    "location": "http://evil.example",
    "access-control-allow-origin": "*",
    "x-powered-by": "upstream-secret",
    "content-language": "de",
    "content-disposition": "attachment",
    "cache-control": "public, max-age=31536000",
    "x-request-id": "upstream-secret",
    "x-accel-redirect": "/etc/passwd",
    "alt-svc": "h3=evil.example",
    "strict-transport-security": "max-age=31536000",
}
ALLOWED_HEADERS = {"retry-after": "7", "x-ratelimit-remaining-tokens": "12"}
ALLOWED_OF = {
    "openai": {"openai-processing-ms": "9", "openai-version": "2020-10-01"},
    "openai-responses": {"openai-processing-ms": "9", "openai-version": "2020-10-01"},
    "anthropic": {"anthropic-ratelimit-tokens-remaining": "3"},
    "gemini": {},
}
OURS = {
    *("date", "server", "connection", "content-type", "content-length"),
    *("x-request-id", "request-id", "x-llm-proxy-lane"),
}


@pytest.mark.parametrize("spoken", SPOKEN)
@pytest.mark.parametrize("status", [200, 400, 429, 500, 302])
async def test_only_listed_headers_come_back(proxy, upstream, spoken, status):
    headers = {**UPSTREAM_HEADERS, **ALLOWED_HEADERS, **ALLOWED_OF[spoken]}
    body = b'{"type":"error","error":{"message":"m","type":"t"}}'
    model = upstream.register(response(body, status=status, headers=headers))
    heard = await ask(proxy, spoken, f"{spoken}:{model}")
    assert heard.status == (502 if status == 302 else status)
    assert set(heard.headers) <= OURS | set(ALLOWED_HEADERS) | set(ALLOWED_OF[spoken])
    assert b"upstream-secret" not in json.dumps(heard.headers).encode()
    assert {name: heard.headers[name] for name in {**ALLOWED_HEADERS, **ALLOWED_OF[spoken]}} == {
        **ALLOWED_HEADERS,
        **ALLOWED_OF[spoken],
    }


@pytest.mark.parametrize(("client", "backend"), PAIRS)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_came_compressed_is_not_called_so(proxy, client, backend, stream):
    heard = await ask(proxy, client, f"{backend}:{story('gzip')}", stream=stream)
    assert heard.status == 200
    assert "content-encoding" not in heard.headers
    assert heard.whole
    assert b"upstream" in heard.body


# keys in the configuration

CANARIES = {
    "proxy": "sk-canary-proxy-000111222333",
    "openai": "sk-canary-openai-444555666777",
    "openai-responses": "sk-canary-responses-666777888999",
    "anthropic": "sk-canary-anthropic-888999000111",
    "gemini": "AIza-canary-gemini-111222333444",
    "header": "canary-header-222333444555",
    "client": "canary-of-a-client-333444555666",
}


def echo_of(backend: str) -> bytes:
    """An error that repeats the key it was sent, as some providers do."""
    message = f"Incorrect API key provided: {CANARIES[backend]} ({CANARIES['header']})."
    return json.dumps({"type": "error", "error": {"message": message, "type": "authentication_error"}}).encode()


async def test_keys_of_the_configuration_never_leave(upstream):
    backends = backends_at(upstream, extra_headers={"x-tenant-token": CANARIES["header"]})
    for name in SPOKEN:
        backends[name]["api_key"] = CANARIES[name]
    password = f"http://user:{CANARIES['openai']}@127.0.0.1:1/v1?key={CANARIES['openai']}"
    backends["gone"] = {"type": "openai-compatible", "api_base_url": password, "api_key": CANARIES["openai"]}
    listing = upstream.register(response(echo_of("openai"), status=401))  # readable at /readyz without a key
    backends["echoing"] = {**backends["openai"], "type": "openai", "api_base_url": f"{upstream.url}/~{listing}"}
    del backends["echoing"]["models"]
    config = {"backends": backends, "auth": {"keys": [CANARIES["proxy"]]}, "logging": {"level": "debug"}}
    key = {"x-api-key": CANARIES["proxy"]}
    seen: list[Heard] = []
    async with running_proxy(config) as proxy:
        for client, backend in PAIRS:
            for status in (400, 401, 403, 429, 500, 302):
                model = upstream.register(response(echo_of(backend), status=status))
                seen.append(await ask(proxy, client, f"{backend}:{model}", headers=key))
                seen.append(await ask(proxy, client, f"{backend}:{model}", headers=key, stream=True))
            for told in ("answer", "rst", "drop", "bad_json", "error_mid", "no_done"):
                model = story(told)
                seen.append(await ask(proxy, client, f"{backend}:{model}", headers=key, stream=True))
        for client in SPOKEN:
            seen.append(await ask(proxy, client, "gone:x", headers=key))
            seen.append(await ask(proxy, client, "nobody:x", headers=key))
            seen.append(await ask(proxy, client, body=b"{", headers=key))
            seen.append(await ask(proxy, client, "openai:x", headers={"x-api-key": CANARIES["proxy"] + "x"}))
            seen.append(await ask(proxy, client, "openai:x", headers={"x-goog-api-key": CANARIES["client"]}))
            for secret in (CANARIES["proxy"], CANARIES["client"]):
                for model in (f"{client}:{story('answer')}", f"{client}:{story('error_mid')}", "gone:x", "nobody:x"):
                    path = with_query(path_of(client, model, stream=True), f"x=1&key={secret}")
                    seen.append(await ask(proxy, client, model, stream=True, path=path))
        paths = (
            "/v1/models",
            "/v1beta/models",
            "/metrics",
            "/readyz",
            "/healthz",
            "/v1/models/openai:listed",
            "/nothing",
        )
        seen += [await ask(proxy, "openai", method="GET", path=path, headers=key) for path in paths]
        ready = await ask(proxy, "openai", method="GET", path="/readyz", headers=key)
        assert "Incorrect API key provided: ****" in ready.json["backends"]["echoing"]["problem"]
        assert set(proxy.get("/readyz").json) == {"status"}  # no more than that without a key
        lines = list(proxy.lines)
    assert len(seen) > 300
    assert lines
    calls = "\n".join(f"{exchange.path} {exchange.request.headers}" for exchange in tuple(upstream.log))
    assert CANARIES["proxy"] not in calls
    assert CANARIES["client"] not in calls
    said = "\n".join([*lines, *(repr(each) for each in seen)])
    for name, canary in CANARIES.items():
        assert canary not in said, name
        assert canary[10:-4] not in said, name


async def test_unknown_methods_and_paths_are_refused_in_the_client_s_format(proxy):
    for client in SPOKEN:
        for path in (path_of(each) for each in SPOKEN if DIALECTS[each].model_in_body):
            heard = await ask(proxy, client, method="GET", path=path)
            assert heard.status == 405
            assert heard.error["message"]
        for path in ("/v1/nothing", "/v1beta/nothing", "/v1beta/models/m:nothing", "/v1beta/models/:generateContent"):
            heard = await ask(proxy, client, path=path, body=body_of(client, "x"))
            assert heard.status in (404, 405), path
            assert heard.error["message"]


def test_nothing_but_the_configured_origin_is_called(proxy, upstream: Any) -> None:
    assert {exchange.headers["host"] for exchange in tuple(upstream.log)} == {f"127.0.0.1:{upstream.port}"}
