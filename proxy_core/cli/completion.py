"""`llm-proxy completion`: the script that makes a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print the script for shell completion.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands and options.

    \b
    bash   echo 'eval "$(llm-proxy completion bash)"' >> ~/.bashrc
    zsh    echo 'eval "$(llm-proxy completion zsh)"' >> ~/.zshrc
    fish   llm-proxy completion fish > ~/.config/fish/completions/llm-proxy.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(ctx.find_root().command, {}, "llm-proxy", "_LLM_PROXY_COMPLETE").source())
