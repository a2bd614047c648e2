"""The templates, compiled by a child: what compiling takes would stay with the dashboard for as long as it lives."""

import logging
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import jinja2
import msgspec
from jinja2.bccache import Bucket

from dashboard import words

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"


class Compiled(jinja2.BytecodeCache):
    """The code of templates by their keys, packed until it is asked for; what is not here is compiled when it is."""

    def __init__(self, code: Mapping[str, bytes] | None = None) -> None:
        self.code = dict(code or {})

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template's code; jinja2 takes none of another source or version."""
        if packed := self.code.get(bucket.key):
            bucket.bytecode_from_string(zlib.decompress(packed))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template's code."""
        self.code[bucket.key] = zlib.compress(bucket.bytecode_to_string())


def environment(compiled: Compiled | None = None) -> jinja2.Environment:
    """Return what renders the templates; of `compiled` ones no file is looked at again."""
    # Escaped, because nearly all of it is text of others: it must not act in the operator's browser.
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=compiled,
        auto_reload=compiled is None,
    )
    made.filters |= words.FILTERS
    return made


def compiled_apart() -> Compiled:
    """Compile all templates in a child, which must be forked before there are threads; without one, none is."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as output, os.fdopen(writing, "wb") as telling:
        try:
            child = os.fork()
        except OSError as error:
            log.warning("templates are compiled as they are asked for: no child: %s", error.strerror)
            return Compiled()
        if child == 0:
            _compile_and_exit(writing)
        telling.close()
        answer = output.read()
    _, status = os.waitpid(child, 0)
    if status:
        log.warning("templates are compiled as they are asked for: the child that was to do it ended with %s", status)
        return Compiled()
    return Compiled(msgspec.msgpack.decode(answer, type=dict[str, bytes]))


def _compile_and_exit(answer: int) -> None:
    """Be the child. It ends without the parent's handlers and buffers, whatever happens."""
    try:
        cache = Compiled()
        templates = environment(cache)
        for name in templates.list_templates(extensions=["html"]):
            templates.get_template(name)
        rest = memoryview(msgspec.msgpack.encode(cache.code))
        while rest:
            rest = rest[os.write(answer, rest) :]
        os._exit(0)
    finally:
        os._exit(1)
