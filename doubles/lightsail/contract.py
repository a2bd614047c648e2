"""The vendor's contract, as botocore's service model has it: what calls there are, what goes in and what comes out."""

import re
from collections.abc import Iterator
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, OperationNotFoundError, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from doubles.lightsail.errors import AwsError, invalid

_MODEL = ServiceModel(Loader().load_service_model("lightsail", "service-2"), "lightsail")
TARGET = str(_MODEL.metadata["targetPrefix"])


def operation(target: str) -> OperationModel:
    """The call that an X-Amz-Target header names. Raises `AwsError` for one the vendor doesn't have."""
    prefix, _, name = target.partition(".")
    try:
        if prefix == TARGET:
            return _MODEL.operation_model(name)
    except OperationNotFoundError:
        pass
    raise AwsError(
        "UnknownOperationException", f"{target or 'a request without X-Amz-Target'} is no call of Lightsail."
    )


def check_input(call: OperationModel, params: object) -> dict[str, Any]:
    """Return `params` if the vendor's contract allows them. Raises `AwsError` with all that is wrong."""
    wrong = list(problems(call.input_shape, params))
    if wrong or not isinstance(params, dict):
        raise invalid(f"{call.name}: {'; '.join(wrong) or 'the input must be an object'}")
    return params


def check_output(call: OperationModel, result: dict[str, Any]) -> None:
    """Check our own answer against the contract. Raises `ValueError`: a defect of ours."""
    if wrong := list(problems(call.output_shape, result)):
        raise ValueError(f"{call.name} answered against its contract: {'; '.join(wrong)}")


def problems(shape: Shape | None, value: object) -> Iterator[str]:
    """What is wrong with `value`: names, types and bounds by botocore's validator, enumerations and patterns by us."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        yield report.generate_report().replace("\n", "; ")
    elif shape is not None:
        yield from _values(shape, value, "")


def _values(shape: Shape, value: Any, where: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _values(shape.members[name], member, f"{where}.{name}" if where else name)
    elif isinstance(shape, ListShape):
        for number, member in enumerate(value):
            yield from _values(shape.member, member, f"{where}[{number}]")
    elif shape.type_name == "string":
        yield from _text(shape, value, where)
    elif "max" in shape.metadata and value > shape.metadata["max"]:
        yield f"{where} must be at most {shape.metadata['max']}, not {value}"


def _text(shape: Shape, value: str, where: str) -> Iterator[str]:
    # botocore's own validator checks neither enumerations nor patterns: clients send what they like.
    choices = getattr(shape, "enum", None)
    if choices and value not in choices:
        yield f"{where} must be one of {', '.join(choices)}, not {value!r}"
    pattern = shape.metadata.get("pattern")
    # A pattern of this model language is found anywhere unless it says otherwise: "Amazon Linux 2023" is a name.
    if pattern and not re.search(pattern, value):
        yield f"{where} must match {pattern}, not {value!r}"
