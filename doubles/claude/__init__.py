"""The Messages API of the local cloud: plays scripts, and refuses what the real one refuses."""
