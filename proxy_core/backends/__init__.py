"""What a connector subclasses."""
