"""A release: built here, compared with what a host has, and switched to as a whole."""
