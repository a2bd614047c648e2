"""What runs on a host, as root: only the standard library and this package."""
