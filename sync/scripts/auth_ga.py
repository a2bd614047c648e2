"""`/opt/jada-agent/scripts/auth_ga.py`: re-authenticate the sync of the release that this script belongs to."""  # noqa: INP001 - a script of its own on the host, in no package

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))

from sync.auth_ga import main

if __name__ == "__main__":
    sys.exit(main())
