"""Connectors are found wherever they are installed, and a bad one harms nobody but itself."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy_core.host import discovery
from proxy_core.host.discovery import BACKENDS_GROUP, Finding, discover
from tests.fault_upstream import FaultUpstream, story, upstream_in_thread
from tests.host.connectors import BROKEN, SICKLY, broken_wheels, code, connector
from tests.support.proxy import ProxyStartError, running_proxy
from tests.support.wheels import Pip, wheel

_MARK = "open(__file__ + '.mark', 'w').close()\n"
_FORMATS = """
from proxy_core.formats.openai import OpenAIFormat

class Known(OpenAIFormat):
    "Takes the name of a format of the core."

class Bell(OpenAIFormat):
    name = "bell"
"""
_BRINGING = {"a-bell": "Bell(),", "b-bell": "Bell(),", "known": "Known(),", "no-format": "'bell',"}
_ODD = ["llm_proxy_odd", "llm_proxy_odd:nothing_there", "llm_proxy_odd:number"]


@pytest.fixture(scope="module")
def broken_site(tmp_path_factory: pytest.TempPathFactory, pip: Pip) -> Path:
    """Ten broken connectors, three sickly ones and a good one, installed together."""
    made, directory = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    sickly = [connector(made, name, source) for name, (source, _) in SICKLY.items()]
    pip.install(directory, *broken_wheels(made), *sickly, connector(made, "good", code("good")))
    return directory


@pytest.fixture(scope="module")
def found(broken_site: Path) -> dict[str, Finding]:
    """What there is in `broken_site`, by name."""
    with searched(broken_site):
        return {finding.name: finding for finding in discover()}


@pytest.fixture(scope="module")
def curious_site(tmp_path_factory: pytest.TempPathFactory, pip: Pip) -> Path:
    """Two that claim one name, one that leaves a mark, one whose entry points lead nowhere, some that bring formats."""
    made, directory = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    twins = [connector(made, "twin", code("twin"), name) for name in ("llm-proxy-twin", "acme-twin")]
    marked = connector(made, "marked", _MARK + code("marked"))
    odd = wheel(made, "llm-proxy-odd", "number = 1", {BACKENDS_GROUP: {f"odd-{n}": _ODD[n] for n in range(len(_ODD))}})
    formats = [connector(made, name, _FORMATS + code(name, formats=brought)) for name, brought in _BRINGING.items()]
    pip.install(directory, *twins, marked, odd, *formats)
    return directory


@pytest.fixture
def site(curious_site: Path) -> Iterator[Path]:
    """`curious_site`, searched, with nothing of it imported yet."""
    with searched(curious_site):
        yield curious_site


@contextmanager
def searched(directory: Path) -> Iterator[None]:
    """Search a directory for modules, and forget what was imported from it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(directory)
        yield
        for name, module in list(sys.modules.items()):
            if str(directory) in str(getattr(module, "__file__", "")):
                del sys.modules[name]


@pytest.fixture(scope="module")
def upstream() -> Iterator[FaultUpstream]:
    with upstream_in_thread() as running:
        yield running


def test_an_installed_connector_is_found_with_its_distribution(found: dict[str, Finding]) -> None:
    good = found["good"]
    assert good.problem is None
    assert good.definition is not None
    assert good.definition.backend_name == "good"
    assert (good.distribution, good.version, good.target) == ("llm-proxy-good", "1.2.3", "llm_proxy_good:provide")
    assert good.described == "good (llm-proxy-good 1.2.3)"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_connector_is_named_with_its_reason(found: dict[str, Finding], name: str) -> None:
    finding = found[name]
    assert finding.definition is None
    assert finding.problem is not None
    assert BROKEN[name].reason in finding.problem
    assert finding.distribution == f"llm-proxy-{name}"


def test_broken_connectors_leave_our_own_alone(found: dict[str, Finding]) -> None:
    assert all(found[name].problem is None for name in ("openai", "openai-compatible", "anthropic"))


def test_findings_are_sorted_by_name(found: dict[str, Finding]) -> None:
    assert list(found) == sorted(found)


@pytest.mark.parametrize("patience", [0.3, 5])
def test_a_connector_that_is_needed_may_take_longer_to_import(
    tmp_path: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr(discovery, "LOAD_SECONDS", 0.1)
    monkeypatch.setattr(discovery, "PATIENT_LOAD_SECONDS", patience)
    pip.install(tmp_path / "site", connector(tmp_path, "slow", "import time\ntime.sleep(0.6)\n" + code("slow")))
    with searched(tmp_path / "site"):
        [finding] = [each for each in discover(["slow"], ["slow"]) if each.name == "slow"]
        assert finding.problem == (None if patience > 1 else "it is not imported after 0.3 s")
        time.sleep(0.5)  # let it end before its module is forgotten


def test_two_distributions_that_claim_one_name_are_both_refused_and_both_named(site: Path) -> None:
    twins = [finding for finding in discover() if finding.name == "twin"]
    assert [finding.distribution for finding in twins] == ["acme-twin", "llm-proxy-twin"]
    assert all(finding.definition is None for finding in twins)
    [reason] = {finding.problem for finding in twins}
    assert reason is not None
    assert reason.startswith("acme-twin 1.2.3 and llm-proxy-twin 1.2.3 both provide 'twin'; uninstall one, or ")


def test_the_allow_list_settles_which_of_two_may_have_the_name(site: Path) -> None:
    assert [finding.distribution for finding in discover(["Acme_Twin"]) if finding.definition] == ["acme-twin"]


@pytest.mark.parametrize("allow", [[], ["openai"], ["llm-proxy-openai"], ["marke"]], ids=str)
def test_what_the_allow_list_does_not_name_is_not_even_imported(site: Path, allow: list[str]) -> None:
    for mark in site.glob("*.mark"):
        mark.unlink()
    finding = named("marked", allow)
    assert finding.problem == "not on the allow-list (plugins.allow); it was not imported"
    assert not list(site.glob("*.mark"))
    assert "llm_proxy_marked" not in sys.modules


@pytest.mark.parametrize("allow", [None, ["marked"], ["LLM.Proxy_Marked"]], ids=str)
def test_the_allow_list_takes_names_of_entry_points_and_of_distributions(site: Path, allow: list[str] | None) -> None:
    assert named("marked", allow).definition
    assert (site / "llm_proxy_marked.py.mark").exists()


@pytest.mark.parametrize("number", range(len(_ODD)))
def test_an_entry_point_that_leads_nowhere_is_a_finding(site: Path, number: int) -> None:
    finding = named(f"odd-{number}")
    assert finding.problem is not None
    assert finding.problem.startswith(("TypeError: ", "AttributeError: "))
    assert finding.target == _ODD[number]


def test_a_format_of_ones_own_is_no_problem(site: Path) -> None:
    assert named("a-bell").definition


@pytest.mark.parametrize(("name", "taken"), [("known", "openai"), ("b-bell", "bell")])
def test_a_format_whose_name_is_taken_is_refused_with_its_connector(site: Path, name: str, taken: str) -> None:
    assert named(name).problem == f"brings a wire format {taken!r}, and there is one already"


def test_what_is_no_format_is_refused(site: Path) -> None:
    assert named("no-format").problem == "its definition has formats that are no WireFormat"


def named(name: str, allow: list[str] | None = None) -> Finding:
    """The finding of that name."""
    return next(finding for finding in discover(allow) if finding.name == name)


def test_ten_broken_wheels_do_not_keep_the_rest_from_serving(broken_site: Path, upstream: FaultUpstream) -> None:
    stanza = {"type": "openai-compatible", "api_key": "sk-up", "api_base_url": upstream.openai_url, "models": ["any"]}
    with running_proxy({"backends": {"up": stanza}}) as alone:
        usual = alone.start_seconds
    backends = {"up": stanza, "good": {}}
    with running_proxy({"backends": backends}, env={"PYTHONPATH": str(broken_site)}) as proxy:
        assert proxy.start_seconds <= usual + 2
        for model in (f"up:{story('answer')}", "good:only"):
            assert proxy.chat(model).status == 200
        reasons = proxy.get("/readyz").json["plugins"]
        assert len(reasons) == len(BROKEN) == 10
        for name, broken in BROKEN.items():
            described = f"{name} (llm-proxy-{name} 1.2.3)"
            assert broken.reason in reasons[described]
            assert proxy.logged("plugin not loaded", plugin=described, reason=reasons[described], level="warning")


def test_connectors_that_fail_later_harm_only_their_own_requests(broken_site: Path) -> None:
    config = {"backends": {name: {} for name in ("good", *SICKLY)}, "timeouts": {"initialize": 0.5}}
    config["plugins"] = {"allow": ["good", *SICKLY]}
    with running_proxy(config, env={"PYTHONPATH": str(broken_site)}) as proxy:
        backends = proxy.get("/readyz").json["backends"]
        assert backends["good"] == {"ready": True}
        for name, (_, reason) in SICKLY.items():
            assert backends[name] == {"ready": name == "listless", "problem": reason}
            got = proxy.chat(f"{name}:any")
            assert got.status == (200 if name == "listless" else 503)
            if got.status == 503:
                assert reason in got.json["error"]["message"]
                assert got.headers["retry-after"] == "10"
        assert proxy.chat("only").status == 200
        assert [model["id"] for model in proxy.get("/v1/models").json["data"]] == ["good:only"]


@pytest.mark.parametrize("name", ["importer", "future"])
def test_a_configured_connector_that_is_broken_stops_the_start_with_its_reason(broken_site: Path, name: str) -> None:
    with pytest.raises(ProxyStartError) as failure:
        running_proxy({"backends": {name: {}}}, env={"PYTHONPATH": str(broken_site)}).start()
    assert f"the connector {name!r} cannot be used: {name} (llm-proxy-{name} 1.2.3): " in str(failure.value)
    assert BROKEN[name].reason in str(failure.value)


def test_a_configured_connector_that_is_missing_stops_the_start_with_the_way_out() -> None:
    with pytest.raises(ProxyStartError, match=r"llm-proxy\.yaml:\d+.*try `pip install llm-proxy-acme`"):
        running_proxy({"backends": {"acme": {}}}).start()
