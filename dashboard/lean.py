"""Modules without what they bring along and the dashboard has no use for: that costs megabytes all day."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast


def leave_init(name: str, **found_in: str) -> None:
    """Let the modules of a package be imported without its `__init__`, which runs once a name of its own is asked for.

    `found_in` says in which module a name is that the package's own modules ask the package for. Without effect where
    the package is not installed, or was imported already.
    """
    if name in sys.modules or (spec := importlib.util.find_spec(name)) is None:
        return
    package = importlib.util.module_from_spec(spec)

    def asked(attribute: str) -> Any:
        module = found_in.get(attribute)
        return getattr(importlib.import_module(module) if module else _initialized(package, spec), attribute)

    vars(package)["__getattr__"] = asked
    sys.modules[name] = package


def _initialized(package: ModuleType, spec: ModuleSpec) -> ModuleType:
    vars(package).pop("__getattr__", None)
    if spec.loader is not None:
        spec.loader.exec_module(package)
    return package


@contextmanager
def absent(name: str) -> Iterator[None]:
    """Let what is imported inside find that a module is not installed; whoever imports it later has it.

    Without effect where it was imported already.
    """
    with _in_place_of(name, None):
        yield


@contextmanager
def reduced(name: str, **contents: Any) -> Iterator[None]:
    """Let what is imported inside find a module with these contents only; whoever imports it later has the whole one.

    Without effect where it was imported already.
    """
    module = ModuleType(name)
    vars(module).update(contents)
    with _in_place_of(name, module):
        yield


@contextmanager
def _in_place_of(name: str, found: ModuleType | None) -> Iterator[None]:
    if name in sys.modules:
        yield
        return
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules[name] = found
    try:
        yield
    finally:
        del modules[name]
