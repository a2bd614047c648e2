"""`python -m doubles.git FOLDER`: the double by itself, for git."""

import argparse
import sys
from pathlib import Path

from doubles.git.server import Server

_TEACHES = """\
Try it:
  git init --bare repositories/site.git
  python -m doubles.git repositories --token made-up-token
  git -c http.sslCAInfo=repositories/authority.pem clone https://x:made-up-token@localhost:8704/site.git
"""


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(
        prog="python -m doubles.git",
        description="Git's own server over HTTPS behind a token.",
        epilog=_TEACHES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="where the repositories NAME.git are; gets authority.pem")
    parser.add_argument(
        "--host", default="localhost", help="the server's name in its certificate (default: %(default)s)"
    )
    parser.add_argument("--address", default="127.0.0.1", help="where it listens (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8704, help="(default: %(default)s)")
    parser.add_argument("--token", default="made-up-token", help="what lets in (default: %(default)s)")
    given = parser.parse_args()
    with Server(given.folder, given.host, given.token, (given.address, given.port)) as server:
        (given.folder / "authority.pem").write_bytes(server.authority)
        sys.stdout.write(f"git: https://{given.host}:{server.server_port} serves {given.folder}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
