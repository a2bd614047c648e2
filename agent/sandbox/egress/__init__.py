"""The one way out of a sandbox, where settings open one: a proxy outside of it, which lets through what is listed, adds
credentials that the sandbox never sees, and says what it refused. A process of its own (`__main__`), started by the
session (`proxy`); it stands on h11, ssl and cryptography only, because each session pays for its memory.
"""
