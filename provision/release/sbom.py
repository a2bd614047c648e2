"""The release's bill of materials: CycloneDX as uv writes it of the lock, and pip, which uv does not know of."""

import json

from provision.onhost import locked


def bill_of_materials(exported: str, pip: str) -> bytes:
    """Return the bill that uv exported without what changes from run to run, which would name another release."""
    bill = json.loads(exported)
    bill.pop("serialNumber", None)
    for name in ("timestamp", "tools"):
        bill["metadata"].pop(name, None)
    bill["components"] += [
        {
            "type": "library",
            "bom-ref": f"{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in sorted(digests)],
        }
        for (name, version), digests in locked.hashes(pip).items()
    ]
    return json.dumps(bill, indent=1, sort_keys=True).encode() + b"\n"
