"""A release: built on this machine, compared with what a host has, and switched to as a whole."""
