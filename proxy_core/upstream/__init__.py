"""The network towards upstreams."""
