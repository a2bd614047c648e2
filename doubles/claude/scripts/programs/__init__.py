"""The programs that scripted models write into their workspace: standard library only, for the host's Python."""
