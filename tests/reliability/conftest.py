"""A provider and a proxy in front of it, shared by the tests of one file."""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault_upstream import FaultUpstream, upstream_in_thread
from tests.reliability.talk import backends_at
from tests.support.proxy import RunningProxy, running_proxy

BARE_CONNECTOR = Path(__file__).parents[1] / "support" / "bare_connector"


@pytest.fixture(scope="module")
def upstream() -> Iterator[FaultUpstream]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture(scope="session")
def bare_connector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for PYTHONPATH in which the connector on plain httpx is installed."""
    directory = tmp_path_factory.mktemp("site")
    project = tomllib.loads((BARE_CONNECTOR / "pyproject.toml").read_text("utf-8"))["project"]
    package = project["name"].replace("-", "_")
    shutil.copytree(BARE_CONNECTOR / package, directory / package)
    metadata = directory / f"{package}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n", "utf-8")
    entries = "".join(f"{name} = {target}\n" for name, target in project["entry-points"]["llm_proxy_backends"].items())
    (metadata / "entry_points.txt").write_text(f"[llm_proxy_backends]\n{entries}", "utf-8")
    return directory


@pytest.fixture(scope="module")
def proxy(upstream: FaultUpstream, bare_connector: Path) -> Iterator[RunningProxy]:
    backends = {**backends_at(upstream), "bare": {"api_key": "bare-key", "api_base_url": upstream.openai_url}}
    with running_proxy({"backends": backends}, env={"PYTHONPATH": str(bare_connector)}) as running:
        yield running
