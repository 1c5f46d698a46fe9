"""Distributions made for a test, and real installations of them.

pip.install(target, wheel(tmp_path, "llm-proxy-x", CODE, {"llm_proxy_backends": {"x": "llm_proxy_x:provide"}}))
"""

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import PackagePath, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

Groups = Mapping[str, Mapping[str, str]]


def wheel(directory: Path, name: str, code: str, groups: Groups, version: str = "1.2.3") -> Path:
    """A wheel of one module, `name` with underscores; `groups` are its entry points."""
    stem = name.replace("-", "_")
    entry_points = "".join(
        f"[{group}]\n" + "".join(f"{entry} = {target}\n" for entry, target in entries.items())
        for group, entries in groups.items()
    )
    files = {
        f"{stem}.py": code,
        f"{stem}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{stem}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}-{version}.dist-info/entry_points.txt": entry_points,
    }
    record = f"{stem}-{version}.dist-info/RECORD"
    lines = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items()]
    built = directory / f"{stem}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(built, "w") as archive:
        for path, text in {**files, record: "".join(lines) + f"{record},,\n"}.items():
            archive.writestr(path, text)
    return built


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def build_wheel(project: Path, directory: Path) -> Path:
    """The wheel that hatchling makes of a project with a pyproject."""
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = _run([sys.executable, "-c", build, str(directory)], cwd=project)
    return directory / done.splitlines()[-1]


class Pip:
    """pip, in a virtual environment of its own: the one that runs the tests may have none."""

    def __init__(self, home: Path) -> None:
        _run([sys.executable, "-m", "venv", str(home)])
        self._python = _python_of(home)

    def install(self, target: Path, *wheels: Path) -> None:
        """Install wheels, without what they depend on, in a directory for PYTHONPATH."""
        self._run("install", "--no-compile", "--target", str(target), *map(str, wheels))

    def install_into(self, environment: Path, *wheels: Path) -> None:
        """Install wheels, without what they depend on, in a virtual environment."""
        self._run("--python", str(environment), "install", "--no-compile", *map(str, wheels))

    def _run(self, *words: str) -> None:
        _run([self._python, "-m", "pip", "--disable-pip-version-check", *words, "--no-index", "--no-deps"])


def fresh_environment(directory: Path) -> Path:
    """A new virtual environment without anything in it; returns its Python."""
    _run([sys.executable, "-m", "venv", "--without-pip", str(directory)])
    return Path(_python_of(directory))


def lend(python: Path, *names: str) -> None:
    """Put distributions of this environment, and all that they require, into a fresh one, as links."""
    site = next(python.parent.parent.glob("lib/python*/site-packages"))
    for name in _with_requirements(names):
        dist = distribution(name)
        for top in {path.parts[0] for path in dist.files or () if _is_importable(path)}:
            link = site / top
            if not link.exists():
                link.symlink_to(Path(str(dist.locate_file(top))))


def _with_requirements(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name not in found:
            found.add(name)
            required = map(Requirement, distribution(name).requires or ())
            waiting += [each for each in required if not each.marker or each.marker.evaluate({"extra": ""})]
    return found


def _is_importable(path: PackagePath) -> bool:
    return path.parts[0] not in {"..", "__pycache__"}


def _python_of(environment: Path) -> str:
    return str(environment / "bin" / "python")


def _run(command: list[str], cwd: Path | None = None) -> str:
    """Run a command, away from the settings of this environment; its output is in the error when it fails."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
