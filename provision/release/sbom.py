"""The release's bill of materials: CycloneDX as uv writes it of the lock."""

import json


def bill_of_materials(exported: str) -> bytes:
    """Return the bill that uv exported without what changes from run to run, which would name another release."""
    bill = json.loads(exported)
    bill.pop("serialNumber", None)
    for name in ("timestamp", "tools"):
        bill["metadata"].pop(name, None)
    return json.dumps(bill, indent=1, sort_keys=True).encode() + b"\n"
