"""What runs on a host, as root: standard library alone, and nothing of ours but this package."""
