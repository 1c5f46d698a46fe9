"""What a request through the proxy costs, beside a bare forwarder in the same run: `python tests/bench/run.py`."""
