"""What is measured: something that can claim and complete tasks, one after the other."""

from typing import Protocol

TITLE = "Sort the harbour's post"
DESCRIPTION = "Read each letter, write down what it asks for and who should answer it.\n" * 7
"""Half a kilobyte, as a task that an operator writes has it; each contender keeps the same."""


class Contender(Protocol):
    """A filled queue with one client. Whatever it does must be durable when a call returns."""

    def work(self, pairs: int) -> None:
        """Claim and complete so many tasks; raises when one can't be."""
