"""What all commands have in common: how they are declared, and the options that say where they act."""

from functools import partial

from invoke.tasks import task as plain_task

task = partial(plain_task, auto_shortflags=False)
"""Long options only: `-a` for --stack would be guesswork."""
ONE_HOST = {
    "stack": "the stack to act on; JADA_STACK otherwise, and local when neither says one",
    "host": "the host by its instance's name; the first one otherwise",
}
EACH_HOST = {**ONE_HOST, "host": "the host by its instance's name; all of them otherwise"}
