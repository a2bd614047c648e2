"""The programs that scripted models write into their workspace: standard library alone, for the host's Python."""
