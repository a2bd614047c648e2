"""What Pulumi's real engine needs on a machine without AWS: a provider and a language host, for stack `local` only.

The engine finds them as executables in `bin/`, which only the local environment puts on PATH. A shell that has them
must never write into a real stack's state: both refuse every other stack.
"""
