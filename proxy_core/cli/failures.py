"""What a person sees when something fails: clear lines on standard error, and never a traceback unasked."""

from __future__ import annotations

import click

#: Exit codes: what the operator can mend (click's own for a wrong option), and what nobody expected.
MISCONFIGURED = 2
UNEXPECTED = 1


def report(error: Exception, *, with_traceback: bool) -> int:
    """Say what happened; the exit code that goes with it."""
    from proxy_core.errors import LLMProxyError

    if isinstance(error, LLMProxyError):
        complain(error.message)
        return MISCONFIGURED
    if with_traceback:
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    complain(f"{type(error).__name__}: {error}")
    if not with_traceback:
        click.echo("hint: `llm-proxy --log-level debug …` shows where it came from", err=True)
    return UNEXPECTED


def complain(message: str, kind: str = "error") -> None:
    """One line on standard error for each line of the message."""
    colour = "red" if kind == "error" else "yellow"
    for line in message.splitlines():
        click.echo(f"{click.style(f'{kind}:', fg=colour, bold=True)} {line}", err=True)
