"""Clients that we did not write, through the proxy, to every kind of upstream: `nox -s downstream`."""
