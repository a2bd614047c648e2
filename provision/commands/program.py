"""Fabric's program with our words: what `fab`, `fab --list` and `fab help COMMAND` print, and what a typo gets."""

import errno
import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from fabric.main import Fab, program
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext

from provision.commands.namespace import GROUPS, namespace
from provision.errors import CommandError

READER_GONE = 141
"""128 and SIGPIPE's number: the exit code that shells know for it."""


class Program(Fab):  # type: ignore[misc] # Fabric has no types
    """`fab` in this work tree."""

    def parse_tasks(self) -> None:
        """Read what was typed; `help` and `help COMMAND` are words too. Raises `CommandError` for a typo."""
        _require_effect(self.args)
        match self.core.unparsed:
            case ["help"]:
                self.core.unparsed[:] = ["--list"]
            # Behind a command that wants an id, Invoke would take `--help` for that id.
            case ["help", command] | [command, "--help" | "-h"]:
                self.core.unparsed.clear()
                self.args.help.value = command
        try:
            super().parse_tasks()
        except ParseError as error:
            raise _mistyped(error) from error
        # Behind a command they are Fabric's too, where it has none of that name: `deploy --dry` is to deploy nothing.
        _require_effect(self.core_via_tasks.args)
        _require_last_value(self.core.unparsed, self.parser.contexts)
        wanted = self.args.help.value
        if wanted and wanted not in self.parser.contexts:
            raise CommandError(f"there is no {wanted!r}", _instead(wanted))

    def no_tasks_given(self) -> None:
        """Print the list: Fabric's own help is about Fabric's options."""
        self.list_flat()
        raise Exit

    def list_flat(self) -> None:
        """Print all commands."""
        self._print(overview())

    def print_task_help(self, name: str) -> None:
        """Print what one command does and takes."""
        self._print(lesson(name, self.parser.contexts[name]))

    def execute(self) -> None:
        """Run the command. Raises `CommandError` for words behind `--`."""
        # To Fabric it is a command for hosts of its own, whose keys were not verified; ours are the stack's.
        if self.core.remainder:
            raise CommandError(
                f"no command takes what comes behind `--`: {self.core.remainder}",
                "`fab ssh --command '...'` runs something on a host",
            )
        with _for_a_reader(), _said_to_the_end():
            super().execute()

    def _print(self, lines: Iterator[str]) -> None:
        with _for_a_reader():
            sys.stdout.write("".join(f"{line}\n" for line in lines))


@contextmanager
def _for_a_reader() -> Iterator[None]:
    """End without words when the reader of our output goes away, as of `fab logs | head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would try to write the rest at its exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Exit(code=READER_GONE) from None


INTERRUPTED = 130
"""128 and SIGINT's number: the exit code that shells know for it."""


@contextmanager
def _said_to_the_end() -> Iterator[None]:
    """Say what ended a command that has no word for it: Ctrl-C, and a disk of this machine that is full."""
    try:
        yield
    except KeyboardInterrupt:
        raise Exit("stopped by Ctrl-C\n  → run it again: it is safe to", code=INTERRUPTED) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = error.filename or "what this command keeps here"
        raise CommandError(
            f"this machine's disk is full: no room for {where}", "make room (`df -h`), then run it again"
        ) from error


NO_EFFECT = {
    "hosts": "hosts are the stack's: `fab COMMAND --stack NAME --host NAME`",
    "dry": "`fab plan` says what a deploy would change, `fab help COMMAND` which others have a --dry-run",
    **dict.fromkeys(
        (
            *("identity", "ssh-config", "prompt-for-login-password", "prompt-for-passphrase"),
            *("prompt-for-sudo-password", "list-agent-keys"),
        ),
        "a host is reached by a certificate that each command asks Lightsail for",
    ),
    **dict.fromkeys(
        ("connect-timeout", "command-timeout", "warn-only", "pty", "echo", "hide", "config"),
        "`fab help COMMAND` says what a command takes",
    ),
}
"""Fabric's own options that none of our commands heeds → what there is instead: one that asks for a rehearsal must not
be passed over.
"""


def _require_effect(arguments: Mapping[str, Argument]) -> None:
    """Raise `CommandError` for an option of Fabric's that was given and would do nothing."""
    for name in [name for each in arguments.values() if each.got_value for name in each.names]:
        if name in NO_EFFECT:
            raise CommandError(f"--{name} is Fabric's own option, and no command of ours heeds it", NO_EFFECT[name])


def _require_last_value(words: Sequence[str], contexts: Mapping[str, ParserContext]) -> None:
    """Raise `CommandError` for an option of several values that ends the line without one: the parser lets it pass."""
    name = next((word for word in words if word in contexts), None)
    argument = contexts[name].flags.get(words[-1]) if name else None
    if name and argument and argument.kind is list:
        raise _without_value(words[-1].removeprefix("--"), f"`fab help {name}` says what {name} takes")


def _without_value(option: str, cure: str) -> CommandError:
    return CommandError(f"--{option.replace('_', '-')} needs a value", cure)


def install() -> None:
    """Make the running `fab` ours: Fabric loads a fabfile without asking it for a program."""
    program.__class__ = Program


WIDEST = max(map(len, namespace.task_names))
OF_FABRIC = {
    "--list": "this list; with --list-format=json for a program",
    "--version": "the versions of Fabric and of what it stands on",
    "--print-completion-script=bash": "lines by which your shell's tab key knows the commands; or zsh, fish",
}


def overview() -> Iterator[str]:
    """Say all commands in their groups, each with an example."""
    yield "fab COMMAND acts on the stack of --stack, else of JADA_STACK, else on the local one."
    yield "`fab help COMMAND` says what a command takes: its options come behind it, as in fab plan --stack prod."
    for group, names in GROUPS.items():
        yield f"\n{group}"
        for name in names:
            summary = " ".join((namespace[name].__doc__ or "").split("\n\n")[0].split())
            yield f"  {name:<{WIDEST}} {summary}"
            yield f"  {'':<{WIDEST}} $ {namespace[name].example}"
    yield "\nOptions of Fabric, on which this stands"
    for option, meaning in OF_FABRIC.items():
        yield f"  {option:<{WIDEST}} {meaning}"


def lesson(name: str, context: ParserContext) -> Iterator[str]:
    """Say what a command does, an example, and what each of its options takes."""
    words = [_placeholder(argument.name) for argument in context.positional_args]
    yield " ".join(["fab", name, *words, "[OPTIONS]"])
    yield f"\n{inspect.cleandoc(namespace[name].__doc__ or '')}\n"
    for argument in context.args.values():
        shown = f"--{argument.names[0].replace('_', '-')}"
        default = f" ({argument.default})" if argument.default and argument.kind is str else ""
        yield f"  {shown:<15} {argument.help}{default}"
    yield f"\nExample: {namespace[name].example}"


def _mistyped(error: ParseError) -> CommandError:
    """Invoke's refusal of a command line, in words that name the mistake and what was meant."""
    text, context = str(error), error.context
    unknown = re.fullmatch("No idea what '(.*)' is!", text)
    if not context or not context.name:
        return CommandError(f"there is no {unknown[1]!r}", _instead(unknown[1])) if unknown else _plain(text)
    name, takes = context.name, f"`fab help {context.name}` says what {context.name} takes"
    if unknown and not unknown[1].startswith("-"):
        return CommandError(f"{name} takes no word {unknown[1]!r}: what it takes has an option's name before it", takes)
    if unknown:
        near = _near(unknown[1], [flag for flag in context.flags if flag.startswith("--")])
        return CommandError(f"there is no {unknown[1]!r}", f"did you mean {near}? {takes}" if near else takes)
    if found := re.match(r"Flag <Argument: ([\w-]+)", text):
        return _without_value(found[1], takes)
    if "required positional" in text:
        missing = [argument.name for argument in context.missing_positional_args]
        return CommandError(f"{name} needs {' and '.join(map(_placeholder, missing))}", takes)
    return CommandError(text, takes)


def _plain(text: str) -> CommandError:
    return CommandError(text, "`fab` lists the commands")


def _instead(word: str) -> str:
    """Say which commands a word that is none may have meant."""
    if word.startswith("-"):
        return "options come behind a command, as in `fab plan --stack prod`; `fab` lists the commands"
    if family := [name for name in namespace.task_names if name.startswith(f"{word}.")]:
        return f"there are {', '.join(sorted(family))}; `fab` lists all commands"
    near = _near(word, namespace.task_names)
    return f"did you mean `fab {near}`? `fab` lists the commands" if near else "`fab` lists the commands"


def _near(word: str, known: Iterable[str]) -> str | None:
    import difflib  # noqa: PLC0415 - of use only for a typo

    return next(iter(difflib.get_close_matches(word, list(known), 1)), None)


def _placeholder(name: str | None) -> str:
    return f"<{name}>".upper().replace("_", "-")
