"""The official SDKs as clients of every pairing of client and upstream, over real sockets."""
