"""The documentation says all there is to say, and nothing that is not so.

Generated parts are fresh, links lead somewhere, configurations are valid, commands exist, and the code in it runs. A
block whose first line is `# NAME.py` or `# pyproject.toml` is a file of the example that the page builds.
"""

import ast
import contextlib
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import yaml

from docs import generate
from proxy_core import api, errors
from proxy_core.cli import PROGRAM
from proxy_core.config import load_config, validate_options
from proxy_core.config_schema import json_schema
from proxy_core.formats import builtin_formats
from proxy_core.host.discovery import COMMANDS_GROUP, HOOKS_GROUP, discover
from proxy_core.host.hooks import HOOKS
from proxy_core.translation import TranslationService
from tests.cli_support import Shell, ask
from tests.fault_upstream import GREETING, FaultUpstream, story, upstream_in_thread
from tests.support.proxy import RunningProxy, running_proxy
from tests.support.wheels import Pip, build_wheel, wheel

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("plugins/*/README.md")])
ADDRESS = "http://127.0.0.1:8765"
HOOK_CONTEXTS = {
    "before_request": api.RequestContext,
    "after_response": api.ResponseContext,
    "on_stream_end": api.StreamEndContext,
    "on_error": api.ErrorContext,
}

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The name in its first line."""
        found = re.match(r"# ([\w/.-]+\.(?:py|toml))\n", self.text)
        return found[1] if found else None


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(*languages: str, pages: list[Path] = PAGES) -> list[Block]:
    """The blocks in these languages."""
    return [
        Block(page, text_of(page).count("\n", 0, found.start()) + 1, found["language"], found["text"])
        for page in pages
        for found in _BLOCK.finditer(text_of(page))
        if found["language"] in languages
    ]


def block_with(word: str, page: str, language: str = "python") -> str:
    """The one block of a page that has this word."""
    (found,) = (block.text for block in blocks(language, pages=[ROOT / page]) if word in block.text)
    return found


def words_of(page: Path) -> set[str]:
    """What stands between backticks, split at spaces, commas, brackets and signs."""
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    return {word for span in re.findall(r"`([^`\n]+)`", prose) for word in re.split(r"[\s,()=\"]+", span)}


def headings_of(page: Path) -> list[str]:
    """The headings, without marks."""
    return [heading.replace("`", "") for heading in re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)]


# what must be there


def test_the_generated_pages_are_fresh() -> None:
    stale = [page.name for page in generate.stale_pages()]
    assert not stale, f"run `nox -s docs -- --write`: {stale} differ from the program"


def settings() -> Iterator[str]:
    schema = json_schema()
    for name, each in schema["properties"].items():
        yield name
        if "$ref" in each:
            yield from (f"{name}.{key}" for key in schema["$defs"][each["$ref"].rpartition("/")[2]]["properties"])
    yield from (f"backends.NAME.{key}" for key in schema["$defs"]["BackendConfig"]["properties"])


@pytest.mark.parametrize("name", list(settings()))
def test_every_setting_is_described(name: str) -> None:
    assert name in words_of(DOCS / "configuration.md")


@pytest.mark.parametrize("distribution", generate.DISTRIBUTIONS)
def test_every_option_of_our_connectors_is_described(distribution: str) -> None:
    for found in discover([distribution]):
        if found.definition is None:  # other distributions are not on this allow-list
            continue
        options, key = found.definition.options_model, found.definition.api_key_env
        assert options
        assert {found.name, *options.model_fields, *([key] if key else [])} <= words_of(DOCS / "configuration.md")


def test_the_options_table_of_the_local_connector_is_complete() -> None:
    (local,) = (found.definition for found in discover(["llm-proxy-local"]) if found.definition)
    page = ROOT / "plugins" / "local" / "README.md"
    assert local.options_model
    assert set(local.options_model.model_fields) <= words_of(page)


def test_every_command_has_a_heading() -> None:
    assert {" ".join(path) for path, _ in generate.every_command()} <= set(headings_of(DOCS / "cli.md"))


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_heading_and_its_context_is_described(hook: str) -> None:
    assert hook in headings_of(DOCS / "plugins.md")
    context = HOOK_CONTEXTS[hook]
    assert {context.__name__, *(field.name for field in dataclasses.fields(context))} <= words_of(DOCS / "plugins.md")


FORMAT_PAGES = {
    "openai": "format-chat.md",
    "openai-responses": "format-responses.md",
    "anthropic": "format-messages.md",
    "gemini": "format-gemini.md",
}
every_format = pytest.mark.parametrize("wire_format", builtin_formats(), ids=lambda each: each.name)


@every_format
def test_every_wire_format_is_described(wire_format: api.WireFormat) -> None:
    routes = {route.path for route in wire_format.client_routes}
    for page in ("architecture.md", FORMAT_PAGES[wire_format.name]):
        assert {wire_format.name, *routes} <= words_of(DOCS / page)


@every_format
def test_every_wire_format_s_page_has_all_there_is_to_tell(wire_format: api.WireFormat) -> None:
    page = DOCS / FORMAT_PAGES[wire_format.name]
    assert headings_of(page)[1:] == ["Requests", "As a backend", "Answers", "Streams", "What is lost"]
    assert {"x-llm-proxy-dropped", "x-llm-proxy-lane"} <= words_of(DOCS / "translation.md")
    headers = {*wire_format.marker_headers, *([wire_format.request_id_header] if wire_format.request_id_header else [])}
    assert headers <= words_of(page)
    assert any(block.page == page for block in snippets())


def rows_of(page: Path, name: str) -> list[list[str]]:
    """The cells of a generated table, without its head."""
    (found,) = re.findall(rf"<!-- generated: {name} -->\n(.*?)<!-- end -->", text_of(page), re.DOTALL)
    lines = [line for line in found.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


SETTINGS_OF_THINKING = {"reasoning_effort", "reasoning", "thinking", "output_config", "thinkingConfig"}


@pytest.mark.parametrize("row", rows_of(DOCS / "translation.md", "thinking"), ids=lambda row: row[0])
def test_thinking_is_asked_for_as_the_table_says(row: list[str]) -> None:
    said, cells = as_json(row[0]), dict(zip(generate.FORMATS, row[1:], strict=True))
    (client,) = (name for name, cell in cells.items() if cell == "as it is")
    for upstream, cell in cells.items():
        sent = sent_upstream(said, client, upstream)
        settings = {name: value for name, value in sent.items() if name in SETTINGS_OF_THINKING}
        assert settings == (said if upstream == client else as_json(cell))


def as_json(cell: str) -> dict[str, object]:
    found: dict[str, object] = {} if cell == "nothing" else json.loads("{" + cell.strip("`") + "}")
    return found


def sent_upstream(said: Mapping[str, object], client: str, upstream: str) -> dict[str, object]:
    """The body for an upstream, or Gemini's settings in it, where a client says this."""
    service, fields = TranslationService(), {"generationConfig": said} if client == "gemini" else said
    body = {**generate.SMALLEST[client], **fields}
    sent: dict[str, object] = service.from_domain_request(service.to_domain_request(body, client), upstream)
    settings = sent.get("generationConfig", {}) if upstream == "gemini" else sent
    assert isinstance(settings, dict)
    return settings


def test_the_table_of_losses_tells_of_every_story_that_loses() -> None:
    told = set(re.findall(r"stories/(\w+)\.json", text_of(DOCS / "translation.md")))
    losing = {
        path.stem
        for path in generate.STORIES.glob("*.json")
        if {"may_lose", "refuse"} & json.loads(text_of(path)).keys()
    }
    assert losing <= told


def test_every_name_of_the_api_is_described() -> None:
    known = words_of(DOCS / "plugins.md") | words_of(DOCS / "errors.md")
    assert not set(api.__all__) - known


@pytest.mark.parametrize(
    "described",
    [
        api.BackendPluginDefinition,
        api.PluginCompatibility,
        api.BackendCapabilities,
        api.StreamChunk,
        api.WireRequest,
        api.ClientRoute,
        api.TokenCount,
        api.RenderOptions,
    ],
    ids=lambda each: each.__name__,
)
def test_every_field_of_the_contract_is_described(described: type) -> None:
    fields = getattr(described, "__struct_fields__", None) or [field.name for field in dataclasses.fields(described)]
    assert not set(fields) - words_of(DOCS / "plugins.md")


@pytest.mark.parametrize("described", [api.LLMBackend, api.HTTPBackend, api.WireFormat], ids=lambda each: each.__name__)
def test_every_attribute_that_a_plugin_may_have_is_described(described: type) -> None:
    public = {name for name in {**vars(described), **described.__annotations__} if not name.startswith("_")}
    assert not public - words_of(DOCS / "plugins.md")


def test_every_error_is_described() -> None:
    assert {name for name in errors.__all__ if name.endswith("Error")} <= words_of(DOCS / "errors.md")


def codes() -> dict[str, str]:
    """Every code that is raised by name, and where."""
    found = {}
    for path in [*ROOT.glob("proxy_core/**/*.py"), *ROOT.glob("plugins/*/llm_proxy_*/**/*.py")]:
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith(("Error", "invalid")):
                code = [*node.args[1:2], *(each.value for each in node.keywords if each.arg == "code")]
                found |= {each.value: path.name for each in code if isinstance(each, ast.Constant) and each.value}
    return {code: name for code, name in found.items() if re.fullmatch(r"\w+", str(code))}


def test_every_error_code_is_described() -> None:
    raised = codes()
    assert len(raised) > 20
    assert not raised.keys() - words_of(DOCS / "errors.md")


# what must be so


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in _LINK.findall(text_of(page)):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in map(anchor_of, headings_of(target)), f"{path}#{anchor}"


def anchor_of(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_no_page_names_a_place_on_somebodys_machine() -> None:
    assert not [page for page in PAGES if re.search(r"/(?:home|Users|work|tmp)/", text_of(page))]


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_configurations_are_valid(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "llm-proxy.yaml"
    path.write_text(block.text, "utf-8")
    names = re.findall(r"\$\{(\w+)\}", block.text)
    config = load_config(path, dict.fromkeys(names, "sk-0123456789"))
    models = {found.name: found.definition.options_model for found in discover() if found.definition}
    for name, backend in config.backends.items():
        assert backend.type in models
        validate_options(name, backend.options, models[backend.type], config.source)
    assert set(yaml.safe_load(block.text)) <= set(type(config).model_fields)


def command_lines() -> list[tuple[str, str]]:
    """Every line for a shell, where it stands in a block or between backticks."""
    lines = [(str(block), line) for block in blocks("sh", "console") for line in block.text.splitlines()]
    spans = [(page.name, span) for page in PAGES for span in re.findall(r"`([^`\n]+)`", text_of(page))]
    parts = [(place, part.partition("  #")[0].strip()) for place, line in lines + spans for part in line.split("&&")]
    return [(place, line) for place, line in parts if line.startswith((PROGRAM + " ", "nox ", "hatch run "))]


def test_commands_exist() -> None:
    sessions = set(re.findall(r"^@nox\.session.*\n(?:@.*\n)*def (\w+)", text_of(ROOT / "noxfile.py"), re.MULTILINE))
    scripts = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["hatch"]["envs"]["default"]["scripts"]
    known = {"nox": sessions, "hatch": scripts}
    lines = command_lines()
    assert len(lines) > 40
    for place, line in lines:
        program, *words = line.replace("…", "").split()
        if program == PROGRAM:
            parse(line, words)
        else:
            asked = words[1] if len(words) > 1 else ""
            assert re.sub(r"\W.*", "", asked.strip('"')) in known[program], f"{place}: {line}"


def parse(line: str, words: list[str]) -> None:
    """Fails when there is no such command or option. Placeholders (`NAME`) and lists (`check | show`) are words."""
    commands = {path[1:]: command for path, command in generate.every_command()}
    said = tuple(word for word in words if not word.startswith("-"))
    path = next(said[:end] for end in range(len(said), -1, -1) if said[:end] in commands)
    rest = said[len(path) :]
    is_group = isinstance(commands[path], click.Group)
    assert not (is_group and rest) or rest[0].isupper() or "|" in rest, line
    options = {option for parameter in commands[path].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options | {"--help"}, line


# what must run


@pytest.fixture(scope="module")
def upstream() -> Iterator[FaultUpstream]:
    with upstream_in_thread() as running:
        yield running


def entry_points(block: str) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = tomllib.loads(block)["project"]["entry-points"]
    return groups


class Example(NamedTuple):
    """A plugin in the documentation: its module, and the groups of its entry points."""

    module: str
    code: str
    groups: Mapping[str, Mapping[str, str]]


def examples() -> dict[str, Example]:
    """Those of the plugin page by the names of their modules, and the README's."""
    made: dict[str, Example] = {}
    name, code = "", ""
    for block in blocks("python", "toml", pages=[DOCS / "plugins.md"]):
        if block.language == "toml":
            made[name] = Example(name, code, entry_points(block.text))
        elif block.file:
            name, code = block.file.removesuffix("/__init__.py").removesuffix(".py"), block.text
    shortest = "llm_proxy_acme"
    groups = entry_points(block_with("entry-points", "README.md", "toml"))
    return {**made, "README": Example(shortest, block_with("class AcmeBackend", "README.md"), groups)}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, pip: Pip) -> Mapping[str, Path]:
    """Each example's wheel, installed by pip in a directory of its own, by name."""
    sites = {}
    for name, example in examples().items():
        made, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp(name)
        pip.install(site, wheel(made, example.module.replace("_", "-"), example.code, example.groups))
        sites[name] = site
    return sites


@contextlib.contextmanager
def served(site: Path, backends: Mapping[str, object], **env: str) -> Iterator[RunningProxy]:
    with running_proxy({"backends": backends}, env={"PYTHONPATH": str(site), **env}) as proxy:
        yield proxy


def test_the_plugin_page_has_the_examples_that_are_tested_here() -> None:
    assert set(examples()) == {"llm_proxy_acme", "llm_proxy_parrot", "llm_proxy_budget", "README"}


@pytest.mark.parametrize("name", ["README", "llm_proxy_acme"])
def test_the_example_connector_answers(installed: Mapping[str, Path], name: str, upstream: FaultUpstream) -> None:
    options: dict[str, object] = {"api_base_url": upstream.url}
    if name != "README":
        options["project"] = "red"
    with served(installed[name], {"acme": options}, ACME_API_KEY="sk-acme") as proxy:
        model = story("answer")
        answer = proxy.chat(f"acme:{model}", logit_bias={"5": 1})
        assert answer.status == 200, answer.body
        assert answer.headers["x-llm-proxy-lane"] == "passthrough"
        assert answer.json["choices"][0]["message"]["content"] == GREETING
        sent = upstream.log.of(model)[-1]
        assert sent.headers["authorization"] == "Bearer sk-acme"
        assert (sent.headers.get("x-acme-project"), "logit_bias" in sent.json) == (
            ("red", False) if name != "README" else (None, True)
        )
        body = {"model": f"acme:{story('answer')}", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        assert proxy.post("/v1/messages", body).json["content"][0]["text"] == GREETING
        assert b"message_stop" in proxy.post("/v1/messages", {**body, "stream": True}).body


def test_a_mistyped_option_of_the_example_is_found(installed: Mapping[str, Path], tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.environment |= {"PYTHONPATH": str(installed["llm_proxy_acme"]), "ACME_API_KEY": "sk-acme"}
    shell.write("backends:\n  acme:\n    projekt: red\n")
    checked = shell.run("config", "check")
    assert checked.code == 2
    assert 'llm-proxy.yaml:3: backends.acme.projekt: unknown option; did you mean "project"?' in checked.err


def test_the_example_s_project_builds(tmp_path: Path) -> None:
    for block in blocks("python", "toml", pages=[DOCS / "plugins.md"]):
        if block.file in ("llm_proxy_acme/__init__.py", "pyproject.toml") and "acme" in block.text:
            path = tmp_path / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, "utf-8")
    assert build_wheel(tmp_path, tmp_path).name == "llm_proxy_acme-0.1.0-py3-none-any.whl"


def test_the_example_without_http_answers(installed: Mapping[str, Path]) -> None:
    said = "polly wants  a cracker"
    body = {"model": "parrot:grey", "max_tokens": 9, "messages": [{"role": "user", "content": said}]}
    with served(installed["llm_proxy_parrot"], {"parrot": {}}) as proxy:
        for path in ("/v1/messages", "/v1/chat/completions"):
            whole = proxy.post(path, body)
            assert (whole.status, said in whole.body.decode()) == (200, True)
            streamed = proxy.post(path, {**body, "stream": True}).body.decode()
            assert "".join(re.findall(r'"(?:text|content)":"([^"]*)"', streamed)) == said
            assert streamed.rstrip().endswith(("[DONE]", '{"type":"message_stop"}'))
            refused = proxy.post(path, {**body, "messages": [{"role": "user", "content": ""}]})
            assert refused.status == 400


def test_the_example_hooks_count_and_refuse(installed: Mapping[str, Path], upstream: FaultUpstream) -> None:
    backend = {"type": "openai-compatible", "api_key": "sk-up", "api_base_url": upstream.url}
    with served(installed["llm_proxy_budget"], {"up": backend}) as proxy:

        def spend(user: str, tokens: int, stream: bool) -> int:
            asked = {"model": f"up:{story('answer', output=tokens)}", "messages": [{"role": "user", "content": "Hi"}]}
            streamed = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
            return proxy.post("/v1/chat/completions", {**asked, **streamed}, {"x-user": user}).status

        for stream in (False, True):
            user = f"user-{stream}"
            assert [spend(user, tokens, stream) for tokens in (5, 100_000)] == [200, 200]
            proxy.wait_logged("request", stream=stream, output_tokens=100_000)
            assert [spend(user, 1, stream), spend("another", 1, stream)] == [429, 200]
        assert proxy.chat("short").status == 200
        assert upstream.log.of("short")[-1].json["max_tokens"] == 100
        assert any("failed: budget_exceeded" in line for line in proxy.lines)


def test_the_example_command_is_found(installed: Mapping[str, Path], tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.environment["PYTHONPATH"] = str(installed["llm_proxy_budget"])
    assert shell.run("budget").out == "100000 tokens\n"
    listed = shell.run("plugins").out
    assert [line.split()[1:4] for line in listed.splitlines() if line.strip().startswith("budget")] == [
        ["hook", "llm-proxy-budget", "1.2.3"],
        ["command", "llm-proxy-budget", "1.2.3"],
    ]
    groups = examples()["llm_proxy_budget"].groups
    assert set(groups) == {HOOKS_GROUP, COMMANDS_GROUP}


def test_the_example_test_passes(installed: Mapping[str, Path], tmp_path: Path) -> None:
    (tmp_path / "test_acme.py").write_text(block_with("def test_a_whole_answer", "docs/plugins.md"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed["llm_proxy_acme"])},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.fixture(scope="module")
def local() -> Iterator[RunningProxy]:
    """The embedded model; its answers are cut short, so that none takes long on a busy machine."""
    weights = pytest.importorskip("llm_proxy_local.weights", reason="llm-proxy-local is not installed")
    if weights.find_weights() is None:
        pytest.skip("needs the weights: `llm-proxy local install`")
    with running_proxy({"backends": {"local": {"default_max_tokens": 20, "preload": True}}}) as proxy:
        yield proxy


def snippets() -> list[Block]:
    """What a user may paste: the code that talks to the address in the documentation."""
    return [block for block in blocks("python") if ADDRESS in block.text]


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_readme_and_the_quickstart_have_a_snippet_for_each_sdk(page: str) -> None:
    shown = "\n".join(block.text for block in snippets() if block.page == ROOT / page)
    for word in ("chat.completions", "client.responses", "client.messages", "genai.Client"):
        assert word in shown


@pytest.mark.parametrize("block", snippets(), ids=str)
def test_snippets_answer(block: Block, local: RunningProxy) -> None:
    shown, names = io.StringIO(), {}
    with contextlib.redirect_stdout(shown):
        exec(compile(block.text.replace(ADDRESS, local.address), str(block), "exec"), names)
    names["client"].close()
    assert shown.getvalue().strip()


def test_the_curl_line_answers(local: RunningProxy) -> None:
    line = block_with("curl", "docs/quickstart.md", "sh").strip()
    status, body = ask(line.replace(ADDRESS, local.address), {"LLM_PROXY_KEY": ""})
    assert (status, '"content"' in body) == (200, True)


def test_tokens_are_counted_where_nobody_upstream_can(local: RunningProxy) -> None:
    body = {"model": "local:m", "messages": [{"role": "user", "content": "Hi"}]}
    counted = local.post("/v1/messages/count_tokens", body)
    assert counted.json == {"input_tokens": 5}
    assert counted.headers["x-llm-proxy-token-count"] == "estimated"
    assert {"x-llm-proxy-token-count:", "native", "estimated"} <= words_of(DOCS / "translation.md")


def test_settings_of_agents_are_toml() -> None:
    settings = [tomllib.loads(block.text) for block in blocks("toml")]
    providers = [found["model_providers"]["llm-proxy"] for found in settings if "model_providers" in found]
    assert {provider["wire_api"] for provider in providers} == {"responses"}
    assert {provider["base_url"] for provider in providers} == {f"{ADDRESS}/v1"}
