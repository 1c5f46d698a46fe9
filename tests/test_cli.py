"""The command line, as a person meets it: real processes of the installed command."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli_support import COMMAND, Shell, ask, fetch
from tests.fault_upstream import GREETING, FaultUpstream, upstream_in_thread

HEAVY = {"aiohttp", "httpx", "pydantic", "rich", "starlette", "structlog", "uvicorn", "yaml"}
SECRET = "sk-a-very-secret-key"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def upstream() -> Iterator[FaultUpstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture
def dead_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stanza(url: str, name: str = "up", key: str = SECRET) -> str:
    return f"  {name}: {{type: openai-compatible, api_base_url: '{url}', api_key: {key}}}\n"


def connector(name: str, problem: str = "") -> str:
    """The code of a connector that lists one model, or fails in `initialize`."""
    return f"""
from proxy_core.api import BackendPluginDefinition, LLMBackend, PluginCompatibility, ServiceUnavailableError

class Backend(LLMBackend):
    backend_type = {name!r}
    def __init__(self, client, config, translation_service):
        super().__init__(config)
    async def initialize(self, **options):
        {problem or "pass"}
    async def chat_completions(self, *args, **kwargs):
        raise NotImplementedError
    def get_available_models(self):
        return ["only"]

def provide():
    return BackendPluginDefinition({name!r}, Backend, "llm-proxy-{name}", PluginCompatibility("0.1"))
"""


# the command itself


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["serve", "--help"], ["config", "check", "--help"]])
def test_help_and_version_import_nothing_heavy(shell: Shell, words: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", *COMMAND[1:], *words]
    done = subprocess.run(command, cwd=shell.directory, capture_output=True, text=True, timeout=30, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & HEAVY


def test_version_names_the_installed_core(shell: Shell) -> None:
    assert re.fullmatch(r"llm-proxy \d+\.\d+\S*\n", shell.run("--version").out)


def test_help_lists_every_command(shell: Shell) -> None:
    listed = shell.run("--help").out
    for name in ("completion", "config", "doctor", "models", "plugins", "serve"):
        assert re.search(rf"^  {name} +\w", listed, re.MULTILINE)


def test_a_mistyped_command_suggests_the_right_one(shell: Shell) -> None:
    outcome = shell.run("serv")
    assert outcome.code == 2
    assert "Error: there is no command 'serv'; did you mean 'serve'?" in outcome.err


def test_a_mistyped_command_line_option_suggests_the_right_one(shell: Shell) -> None:
    outcome = shell.run("serve", "--prot", "1")
    assert outcome.code == 2
    assert re.search(r"No such option.*--prot\b.*--port\b", outcome.err)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(shell: Shell, name: str) -> None:
    outcome = shell.run("completion", name)
    assert outcome.code == 0
    assert f"_LLM_PROXY_COMPLETE={name}_complete" in outcome.out


def test_completion_knows_commands_and_options(shell: Shell) -> None:
    shell.environment |= {"_LLM_PROXY_COMPLETE": "bash_complete", "COMP_WORDS": "llm-proxy ser", "COMP_CWORD": "1"}
    assert shell.run().out == "plain,serve\n"
    shell.environment |= {"COMP_WORDS": "llm-proxy serve --wor", "COMP_CWORD": "2"}
    assert shell.run().out == "plain,--workers\n"


# commands of plugins

SHOUT = """
import pathlib
import click

pathlib.Path("imported").touch()

@click.command()
@click.option("--word", default="hello")
def shout(word):
    if word == "crash":
        raise RuntimeError("out of breath")
    click.echo(word.upper())
"""


def test_a_plugin_command_is_not_imported_until_it_is_used(shell: Shell) -> None:
    shell.install("llm-proxy-shout", SHOUT, llm_proxy_commands="shout = llm_proxy_shout:shout")
    assert re.search(r"^  shout +Comes with llm-proxy-shout 1\.2\.3\.$", shell.run("--help").out, re.MULTILINE)
    assert not (shell.directory / "imported").exists()
    assert shell.run("shout", "--word", "hey").out == "HEY\n"
    assert "--word" in shell.run("shout", "--help").out


def test_a_broken_plugin_command_gives_its_reason_and_disturbs_no_other(shell: Shell) -> None:
    shell.install("llm-proxy-shout", "import no_such_module", llm_proxy_commands="shout = llm_proxy_shout:shout")
    outcome = shell.run("shout")
    assert outcome.code == 1
    assert outcome.err == (
        "Error: the command 'shout' of llm-proxy-shout 1.2.3 cannot be used: "
        "ModuleNotFoundError: No module named 'no_such_module'\n"
    )
    assert shell.run("--help").code == 0


def test_two_plugin_commands_of_one_name_are_refused_by_both_names(shell: Shell) -> None:
    for name in ("llm-proxy-a", "llm-proxy-b"):
        shell.install(name, SHOUT, llm_proxy_commands=f"shout = {name.replace('-', '_')}:shout")
    message = "the command 'shout' of llm-proxy-a 1.2.3 and llm-proxy-b 1.2.3 cannot be used: they have the same name"
    assert message in shell.run("shout").err


def test_an_unexpected_error_is_one_line_and_a_hint(shell: Shell) -> None:
    shell.install("llm-proxy-shout", SHOUT, llm_proxy_commands="shout = llm_proxy_shout:shout")
    outcome = shell.run("shout", "--word", "crash")
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "error: RuntimeError: out of breath",
        "hint: `llm-proxy --log-level debug …` shows where it came from",
    ]


def test_log_level_debug_shows_where_an_unexpected_error_came_from(shell: Shell) -> None:
    shell.install("llm-proxy-shout", SHOUT, llm_proxy_commands="shout = llm_proxy_shout:shout")
    outcome = shell.run("--log-level", "debug", "shout", "--word", "crash")
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.endswith("error: RuntimeError: out of breath\n")


# config


def test_config_check_lists_every_problem_of_the_file(shell: Shell) -> None:
    shell.write("server: {prot: 1}\nloging: {}\n")
    outcome = shell.run("config", "check")
    assert outcome.code == 2
    assert outcome.err.splitlines() == [
        'error: llm-proxy.yaml:1: server.prot: unknown option; did you mean "port"?',
        'error: llm-proxy.yaml:2: loging: unknown option; did you mean "logging"?',
    ]


def test_config_check_lists_every_problem_of_the_backends(shell: Shell) -> None:
    shell.write("server: {host: 0.0.0.0}\nbackends:\n  openai: {api_kee: x}\n  groq: {}\n")
    outcome = shell.run("config", "check")
    exposed, mistyped, missing = outcome.err.splitlines()
    assert outcome.code == 2
    assert exposed.startswith("error: llm-proxy.yaml:1: server.host: other machines can reach 0.0.0.0, and no keys")
    assert mistyped == 'error: llm-proxy.yaml:3: backends.openai.api_kee: unknown option; did you mean "api_key"?'
    assert missing.startswith("error: llm-proxy.yaml:4: backends.groq: no connector of type 'groq' is installed")
    assert "try `pip install llm-proxy-groq`" in missing


def test_config_check_of_a_good_file_names_its_backends(shell: Shell) -> None:
    shell.write("backends:\n  openai: {api_key: x}\n  spare: {type: none, enabled: false}\n", "other.yaml")
    outcome = shell.run("config", "check", "other.yaml")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "ok: other.yaml",
        "  backend openai (openai): other.yaml:2",
        "  backend spare: not enabled",
    ]


def test_a_configuration_that_is_not_there_is_one_clear_line(shell: Shell) -> None:
    for words in (["config", "check", "x.yaml"], ["serve", "--config", "x.yaml"], ["doctor", "-c", "x.yaml"]):
        outcome = shell.run(*words)
        assert (outcome.code, outcome.err) == (2, "error: x.yaml: there is no such configuration file\n")


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_config_show_masks_secrets(shell: Shell, words: list[str]) -> None:
    shell.write(f"auth: {{keys: [{SECRET}]}}\nbackends: {{openai: {{api_key: {SECRET}}}}}\n")
    outcome = shell.run("config", "show", *words)
    assert outcome.code == 0
    assert SECRET not in outcome.out
    assert outcome.out.count("****-key") == 2


def test_config_show_yaml_can_be_read_again(shell: Shell) -> None:
    shell.write("server: {port: 9999}\n")
    shell.write(shell.run("config", "show").out, "again.yaml")
    assert json.loads(shell.run("config", "show", "--json", "-c", "again.yaml").out)["server"]["port"] == 9999


def test_config_schema_has_the_options_of_installed_connectors(shell: Shell) -> None:
    schema = json.loads(shell.run("config", "schema").out)
    assert "api_base_url" in schema["$defs"]["openai"]["properties"]


def test_config_schema_of_a_broken_file_imports_no_plugin(shell: Shell) -> None:
    shell.write("plugins: {alow: []}\n")
    outcome = shell.run("config", "schema")
    assert 'warning: llm-proxy.yaml:1: plugins.alow: unknown option; did you mean "allow"?' in outcome.err
    assert "openai" not in json.loads(outcome.out)["$defs"]


# plugins


def plugins_of(shell: Shell) -> dict[str, dict[str, str]]:
    outcome = shell.run("plugins", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    return {plugin["name"]: plugin for plugin in json.loads(outcome.out)}


def test_plugins_lists_what_is_installed(shell: Shell) -> None:
    listed = plugins_of(shell)
    assert listed["openai"]["distribution"] == "llm-proxy-openai"
    assert (listed["openai"]["kind"], listed["openai"]["status"], listed["openai"]["reason"]) == ("backend", "ok", "")
    assert {"anthropic", "openai-compatible"} <= set(listed)


def test_plugins_says_why_one_is_not_loaded(shell: Shell) -> None:
    shell.install("llm-proxy-bad", "1 / 0", llm_proxy_backends="bad = llm_proxy_bad:provide")
    shell.install("llm-proxy-hook", "import no_such_module", llm_proxy_hooks="hook = llm_proxy_hook:Hook")
    shell.install("llm-proxy-shout", "shout = 3", llm_proxy_commands="shout = llm_proxy_shout:shout")
    listed = plugins_of(shell)
    assert listed["bad"] == {
        "name": "bad",
        "kind": "backend",
        "distribution": "llm-proxy-bad",
        "version": "1.2.3",
        "status": "not loaded",
        "reason": "ZeroDivisionError: division by zero",
    }
    assert (listed["hook"]["kind"], listed["hook"]["status"]) == ("hook", "not loaded")
    assert listed["shout"]["reason"] == "its entry point is a int, not a click command"
    assert listed["openai"]["status"] == "ok"


def test_plugins_table_keeps_brackets_and_long_reasons_whole(shell: Shell) -> None:
    reason = "[red]" + "x" * 200
    shell.install("llm-proxy-bad", f"raise ValueError({reason!r})", llm_proxy_backends="bad = llm_proxy_bad:provide")
    assert f"not loaded   ValueError: {reason}\n" in shell.run("plugins").out


def test_plugins_that_are_not_allowed_are_not_imported(shell: Shell) -> None:
    shell.install("llm-proxy-bad", "raise SystemExit(3)", llm_proxy_backends="bad = llm_proxy_bad:provide")
    shell.write("plugins: {allow: [openai]}\n")
    assert plugins_of(shell)["bad"]["reason"] == "not on the allow-list (plugins.allow); it was not imported"


# models


def test_models_lists_aliases_and_what_upstreams_offer(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}models: {{quick: 'up:fault-small', gone: nowhere}}\n")
    outcome = shell.run("models", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    offers = {offer["model"]: offer for offer in json.loads(outcome.out)}
    assert offers["quick"] == {"model": "quick", "backend": "up", "note": "alias of up:fault-small"}
    assert offers["up:fault-small"]["backend"] == "up"


def test_models_shows_a_table(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    assert re.search(r"^ up:fault-small +up$", shell.run("models").out, re.MULTILINE)


def test_models_of_one_backend_are_listed_although_another_is_dead(
    shell: Shell, upstream: FaultUpstream, dead_port: int
) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}{stanza(f'http://127.0.0.1:{dead_port}', 'dead')}")
    outcome = shell.run("models")
    assert outcome.code == 0
    assert "up:fault-small" in outcome.out
    assert outcome.err.startswith("warning: backend 'dead': cannot list models: ")
    assert f"127.0.0.1:{dead_port}" in outcome.err


def test_models_without_any_says_so_and_fails(shell: Shell, dead_port: int) -> None:
    shell.write(f"backends:\n{stanza(f'http://127.0.0.1:{dead_port}', 'dead')}")
    outcome = shell.run("models")
    assert outcome.code == 1
    assert outcome.err.endswith("error: there is no model to ask for; `llm-proxy doctor` says why\n")


# doctor


def test_doctor_is_content_when_everything_works(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    outcome = shell.run("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.search(r"^ up +openai-compatible +llm-proxy\.yaml:2 +ready +2 +\d+$", outcome.out, re.MULTILINE)
    assert outcome.out.endswith("Everything that is enabled can be used.\n")


def test_doctor_says_what_is_wrong_with_each_backend_and_shows_no_key(
    shell: Shell, upstream: FaultUpstream, dead_port: int
) -> None:
    shell.write(
        f"backends:\n{stanza(upstream.openai_url)}{stanza(f'http://127.0.0.1:{dead_port}', 'dead')}"
        f"{stanza(f'{upstream.url}/~status~code=401/v1', 'locked')}  openai: {{}}\n  groq: {{}}\n"
    )
    outcome = shell.run("doctor", "--json")
    diagnosis = json.loads(outcome.out)
    reasons = {row["backend"]: row["reason"] for row in diagnosis["backends"]}
    assert outcome.code == 1
    assert SECRET not in outcome.out + outcome.err
    assert reasons["up"] == ""
    assert reasons["dead"].startswith("cannot list models: ")
    assert reasons["locked"].startswith("cannot list models: Incorrect API key provided")
    assert "set OPENAI_API_KEY in the environment, or api_key" in reasons["openai"]
    assert "no connector of type 'groq' is installed" in reasons["groq"]
    assert len(diagnosis["problems"]) == 4


def test_doctor_masks_a_key_that_the_upstream_quotes(shell: Shell) -> None:
    code = connector("echo", "raise ServiceUnavailableError(f'bad key {options[\"api_key\"]}')")
    shell.install("llm-proxy-echo", code, llm_proxy_backends="echo = llm_proxy_echo:provide")
    shell.write(f"backends: {{echo: {{api_key: {SECRET}}}}}\n")
    assert shell.run("doctor").err == "error: backend 'echo': bad key ****\n"


def test_doctor_says_why_a_backend_is_enabled_and_others_are_not(shell: Shell) -> None:
    shell.environment["OPENAI_API_KEY"] = SECRET
    shell.environment["HTTPS_PROXY"] = "http://127.0.0.1:1"  # nothing leaves this machine
    shell.environment.pop("NO_PROXY", None)
    diagnosis = json.loads(shell.run("doctor", "--json").out)
    assert [row["enabled because"] for row in diagnosis["backends"]] == ["OPENAI_API_KEY is set"]
    assert diagnosis["not_enabled"]["anthropic"] == "ANTHROPIC_API_KEY is not set in the environment"


def test_doctor_asks_all_upstreams_at_once_and_for_a_limited_time(shell: Shell) -> None:
    code = connector("slow", "import asyncio; await asyncio.sleep(60)")
    shell.install("llm-proxy-slow", code, llm_proxy_backends="slow = llm_proxy_slow:provide")
    shell.write("timeouts: {initialize: 0.5}\nbackends:\n  a: {type: slow}\n  b: {type: slow}\n")
    started = time.monotonic()
    outcome = shell.run("doctor")
    assert time.monotonic() - started < 10
    assert outcome.err.splitlines() == [
        f"error: backend {name!r}: initialize() took longer than 0.5 s" for name in ("a", "b")
    ]


# serve


def test_serve_prints_what_can_be_pasted_and_works(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    with shell.serving() as proxy:
        assert "models    up:fault-small, up:fault-large" in proxy.banner
        assert "config    llm-proxy.yaml" in proxy.banner
        assert "warning" not in proxy.banner
        status, body = ask(proxy.curl, shell.environment)
        assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, GREETING)
        assert proxy.stop() == 0
        assert "Traceback" not in proxy.err


def test_serve_prints_python_code_that_works(shell: Shell, upstream: FaultUpstream) -> None:
    pytest.importorskip("openai")
    shell.write(f"auth: {{keys: [key-of-a-client]}}\nbackends:\n{stanza(upstream.openai_url)}")
    with shell.serving() as proxy:
        done = subprocess.run(
            [sys.executable, "-c", proxy.snippet], env=shell.environment, capture_output=True, text=True, timeout=30
        )
        assert (done.stdout, done.stderr) == (f"{GREETING}\n", "")


def test_serve_with_keys_prints_a_curl_line_that_sends_one(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"auth: {{keys: [key-of-a-client]}}\nbackends:\n{stanza(upstream.openai_url)}")
    with shell.serving() as proxy:
        assert ' -H "Authorization: Bearer $LLM_PROXY_KEY" ' in proxy.curl
        assert "key-of-a-client" not in proxy.banner
        assert ask(proxy.curl, shell.environment)[0] == 200
        assert fetch(f"{proxy.url}/v1/models")[0] == 401


def test_serve_says_what_does_not_work(shell: Shell, upstream: FaultUpstream, dead_port: int) -> None:
    shell.install("llm-proxy-bad", "1 / 0", llm_proxy_backends="bad = llm_proxy_bad:provide")
    shell.write(
        f"backends:\n{stanza(f'http://127.0.0.1:{dead_port}', 'dead')}{stanza(upstream.openai_url)}"
        f"{stanza(f'{upstream.url}/~status~code=401/v1', 'locked')}"
    )
    with shell.serving() as proxy:
        assert f"warning   backend 'dead': cannot list models: http://127.0.0.1:{dead_port}" in proxy.banner
        assert "warning   backend 'locked': cannot list models: Incorrect API key provided" in proxy.banner
        broken = "plugin bad (llm-proxy-bad 1.2.3) is not loaded: ZeroDivisionError: division by zero"
        assert f"warning   {broken}" in proxy.banner
        assert ask(proxy.curl, shell.environment)[0] == 200


def test_serve_without_any_backend_says_where_to_look(shell: Shell) -> None:
    shell.write("plugins: {allow: [openai]}\n")
    with shell.serving(end="doctor` says why") as proxy:
        assert "warning   no backend is enabled, so nothing can be answered; `llm-proxy doctor` " in proxy.banner
    outcome = shell.run("doctor")
    assert outcome.code == 1
    assert outcome.err.startswith("error: no backend is enabled: configure one, set the key of an installed connector")


def test_serve_whose_backend_lists_no_model_leaves_a_gap_in_the_curl_line(shell: Shell, dead_port: int) -> None:
    shell.write(f"backends:\n{stanza(f'http://127.0.0.1:{dead_port}', 'dead')}")
    with shell.serving() as proxy:
        assert "models    none listed" in proxy.banner
        assert "put the name of one for MODEL" in proxy.banner
        assert '"model": "dead:MODEL"' in proxy.curl


def test_serve_prefers_a_model_that_chats_for_its_example(shell: Shell, upstream: FaultUpstream) -> None:
    code = connector("many").replace('["only"]', '["text-embedding-9", *map(str, range(40)), "chat"]')
    shell.install("llm-proxy-many", code, llm_proxy_backends="many = llm_proxy_many:provide")
    shell.write("backends: {many: {}}\n")
    with shell.serving() as proxy:
        assert "models    42: many:text-embedding-9, many:0, " in proxy.banner
        assert "… (all: llm-proxy models)" in proxy.banner
        assert '"model": "many:0"' in proxy.curl


@pytest.mark.parametrize("words", [[], ["--workers", "2"]])
def test_a_start_that_fails_is_one_clear_line(shell: Shell, words: list[str]) -> None:
    shell.write("backends:\n  groq: {}\n")
    outcome = shell.run("serve", "--port", "0", *words)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: llm-proxy.yaml:2: backends.groq: no connector of type 'groq' is installed")


@pytest.mark.parametrize("words", [[], ["--workers", "2"]])
def test_a_start_that_fails_when_backends_get_ready_is_one_clear_line(shell: Shell, words: list[str]) -> None:
    shell.write("backends:\n  openai: {}\n")
    outcome = shell.run("serve", "--port", "0", *words)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert "OPENAI_API_KEY" in line


def test_a_mistyped_option_stops_the_start(shell: Shell) -> None:
    shell.write("backends:\n  openai:\n    api_kee: x\n")
    outcome = shell.run("serve")
    message = 'error: llm-proxy.yaml:3: backends.openai.api_kee: unknown option; did you mean "api_key"?\n'
    assert (outcome.code, outcome.err) == (2, message)


def test_a_connector_that_cannot_be_built_stops_the_start(shell: Shell) -> None:
    code = connector("bad").replace("super().__init__(config)", "raise KeyError('missing')")
    shell.install("llm-proxy-bad", code, llm_proxy_backends="bad = llm_proxy_bad:provide")
    shell.write("backends: {bad: {}}\n")
    outcome = shell.run("serve", "--port", "0")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("error: ")
    assert "connector llm-proxy-bad: its factory failed: KeyError: 'missing'" in outcome.err


def test_a_port_in_use_is_one_clear_line_with_a_way_out(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = shell.run("serve", "--port", str(port))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"error: cannot listen on port {port} of 127.0.0.1: it is already in use; stop what uses it, "
        f"or take another: --port {port + 1 if port < 65535 else port - 1} (0 for any free one)\n"
    )


def test_an_address_of_another_machine_is_one_clear_line(shell: Shell) -> None:
    outcome = shell.run("serve", "--host", "192.0.2.1", "--allow-unauthenticated")
    assert outcome.code == 2
    assert outcome.err.startswith("error: cannot listen on port 8765 of 192.0.2.1: this machine has no such address")


def test_a_host_others_can_reach_wants_keys_and_the_message_names_both_ways_out(shell: Shell) -> None:
    outcome = shell.run("serve", "--host", "0.0.0.0")
    assert outcome.code == 2
    assert outcome.err == (
        "error: --host: other machines can reach 0.0.0.0, and no keys are configured; configure auth.keys, "
        "or let everybody in with --allow-unauthenticated (server.allow_unauthenticated: true)\n"
    )


@pytest.mark.parametrize("words", [[], ["--workers", "2"]])
def test_a_host_others_can_reach_without_keys_if_told_so(
    shell: Shell, upstream: FaultUpstream, words: list[str]
) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    with shell.serving("--host", "0.0.0.0", "--allow-unauthenticated", *words) as proxy:
        assert proxy.url.startswith("http://127.0.0.1:")
        assert "listening 0.0.0.0:" in proxy.banner
        assert "everybody who can reach this machine may use the proxy" in proxy.banner
        assert fetch(f"{proxy.url}/v1/models", {"Host": "proxy.example"})[0] == 200


def test_keys_let_the_host_be_reached(shell: Shell, upstream: FaultUpstream) -> None:
    backends = f"backends:\n{stanza(upstream.openai_url)}"
    shell.write(f"server: {{host: 0.0.0.0}}\nauth: {{keys: [key-of-a-client]}}\n{backends}")
    with shell.serving() as proxy:
        assert ask(proxy.curl, shell.environment)[0] == 200


def test_an_ipv6_address_is_served_and_written_in_brackets(shell: Shell, upstream: FaultUpstream) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    with shell.serving("--host", "::1") as proxy:
        assert proxy.url.startswith("http://[::1]:")
        assert ask(proxy.curl, shell.environment)[0] == 200


def test_localhost_is_served_on_every_address_it_has(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    with shell.serving("--host", "localhost") as proxy:
        port = proxy.url.rpartition(":")[2]
        for *_, address in socket.getaddrinfo("localhost", int(port), type=socket.SOCK_STREAM):
            host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
            assert fetch(f"http://{host}:{port}/healthz")[0] == 200


def test_several_workers_print_one_banner_and_stop_together(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    with shell.serving("--workers", "2") as proxy:
        assert ask(proxy.curl, shell.environment)[0] == 200
        assert proxy.stop() == 0
        assert proxy.process.stdout is not None
        assert "is ready at" not in proxy.process.stdout.read()
        assert proxy.err.count("Traceback") == 0


def test_reload_serves_the_changed_configuration_and_greets_once(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    with shell.serving("--reload") as proxy:
        time.sleep(0.6)  # the watcher has seen the file once
        shell.write(f"backends:\n{stanza(upstream.openai_url)}models: {{brand-new: 'up:fault-small'}}\n")
        os.utime(shell.directory / "llm-proxy.yaml", (time.time() + 2, time.time() + 2))
        assert _eventually(lambda: "brand-new" in fetch(f"{proxy.url}/v1/models")[1])
        assert proxy.stop() == 0
        assert proxy.process.stdout is not None
        assert "is ready at" not in proxy.process.stdout.read()


def test_reload_with_a_broken_file_says_so_and_serves_again_when_it_is_mended(
    shell: Shell, upstream: FaultUpstream
) -> None:
    good = f"backends:\n{stanza(upstream.openai_url)}"
    shell.write(good)
    with shell.serving("--reload") as proxy:
        time.sleep(0.6)
        for seconds, text in ((2, f"loging: {{}}\n{good}"), (4, f"models: {{mended: up:fault-small}}\n{good}")):
            shell.write(text)
            os.utime(shell.directory / "llm-proxy.yaml", (time.time() + seconds, time.time() + seconds))
            if seconds == 2:
                told = 'error: llm-proxy.yaml:1: loging: unknown option; did you mean "logging"?'
                assert _eventually(lambda: told in proxy.err)  # noqa: B023 - called at once
                time.sleep(0.6)
        assert _eventually(lambda: "mended" in fetch(f"{proxy.url}/v1/models")[1])
        assert "Traceback" not in proxy.err


def test_reload_and_workers_exclude_each_other(shell: Shell) -> None:
    outcome = shell.run("serve", "--reload", "--workers", "2")
    assert outcome.code == 2
    assert "Error: --reload serves with one process; leave out --workers" in outcome.err


def test_a_running_request_ends_before_ctrl_c_takes_effect(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    body = json.dumps({"model": "up:answer~wait=1000", "messages": [{"role": "user", "content": "hi"}]})
    with shell.serving() as proxy:
        url = f"{proxy.url}/v1/chat/completions"
        code = f"import urllib.request as u; print(u.urlopen(u.Request({url!r}, {body.encode()!r})).status)"
        client = subprocess.Popen(
            [sys.executable, "-c", code], env=shell.environment, stdout=subprocess.PIPE, text=True
        )
        upstream.log.until_sync("answer~wait=1000", lambda _: True)
        assert proxy.stop() == 0
        assert client.communicate(timeout=10)[0] == "200\n"


def test_sigterm_stops_the_server_quietly(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"backends:\n{stanza(upstream.openai_url)}")
    with shell.serving() as proxy:
        assert proxy.stop(signal.SIGTERM) == -signal.SIGTERM
        assert "Traceback" not in proxy.err


def test_logs_go_to_standard_error_at_the_wanted_level(shell: Shell, upstream: FaultUpstream) -> None:
    shell.write(f"logging: {{level: error}}\nbackends:\n{stanza(upstream.openai_url)}")
    with shell.serving("--log-level", "info") as proxy:
        ask(proxy.curl, shell.environment)
        assert _eventually(lambda: '"event":"request"' in proxy.err)
        assert "event" not in proxy.banner


def _eventually(condition: Any, within: float = 10) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except OSError:
            pass  # nobody listens for a moment
        time.sleep(0.05)
    return False
