"""A git server's double: git's own server (`git http-backend`) over HTTPS behind a token, as hosting services have it.

What it speaks is git itself, which holds it to its contract. The repositories are the folders `*.git` of the folder
that it is given; the token lets in to read and write, and nothing is read without it. `requests` of a `Server` says who
asked for what.
"""
