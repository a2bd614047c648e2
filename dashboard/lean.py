"""A package without what its `__init__` brings along: a server's command line and reloader cost megabytes all day."""

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


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
