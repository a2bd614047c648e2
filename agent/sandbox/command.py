"""The command line of a sandbox, as a value: what a tool call can see, and nothing is run here.

Own user, pid, mount, network, ipc and uts namespaces; /usr to read, the workspace to write, a /tmp that goes with the
call. The host's /proc is never shown: `/proc/<pid>/root` of a process of the same user leads out of any sandbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WORKSPACE = "/workspace"
"""Where the task's folder is inside."""
BROUGHT = "/run/jada"
"""Where the folder is inside in which a program, its input and its files are brought to a sandbox that waits."""
FILE_SIZE_KB = 1024 * 1024
"""The largest file that a call may write: 1 GB, so that one runaway redirect does not fill the disk."""
SMALL_FILE_KB = 64
"""The same in a workspace that holds too much: there is to be less in it first."""

FIRST_TO_DIE = ("/bin/sh", "-c", 'echo 1000 >/proc/self/oom_score_adj; exec "$@"', "sandbox")
"""Before bubblewrap: when memory runs out, the kernel takes the call and not its session. Set inside, it would come too
late for what bubblewrap itself maps, and for files in memory.
"""

PROXY = "http://127.0.0.1:3128"
CERTIFICATES = "certificates"
"""The file below `BROUGHT` that says whom programs trust: with a way out only the proxy's own authority is in it."""
_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
# Of those who bring certificates of their own: pip and requests of a virtual environment, and node.
_TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO")
_ETC = ("alternatives", "group", "ld.so.cache", "localtime", "nsswitch.conf", "passwd")
_TMP, _SHARED = "/tmp", "/dev/shm"  # noqa: S108 - the sandbox's own, not the host's
_PATHS = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Mounts:
    """Folders besides the workspace, path inside → path of the host, to read and to write; variables that say so."""

    read: Mapping[str, str] = field(default_factory=dict)
    write: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def bubblewrap(  # noqa: PLR0913 - all that makes the walls, each by its name
    workspace: str,
    inside: Sequence[str],
    *,
    memory_mb: int,
    own_proc: bool,
    report: int,
    brought: str,
    filter_: int | None,
    info: int | None = None,
    mounts: Mounts = Mounts(),
) -> list[str]:
    """Return the argv that runs `inside` in a sandbox; the folder `brought` is shown read-only at `BROUGHT`; `report`
    is an open descriptor whose number it finds in its environment as REPORT_FD; `filter_` is one with a filter of
    system calls, None where there is none for this machine. `info` is one on which bubblewrap says which process is
    inside, given where there is a way out.

    `own_proc`: give it a /proc of its own pid namespace. Where the kernel refuses that (a unit with mounts over
    /proc), it stays empty. The sandbox dies with the process that started it.
    """
    options = [
        # --new-session: with our terminal a program could type commands into it (TIOCSTI, CVE-2017-5226).
        *("--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"),
        *("--setenv", "PATH", _PATHS, "--setenv", "HOME", _TMP, "--setenv", "LANG", "C.UTF-8"),
        *("--setenv", "REPORT_FD", str(report)),
        *("--ro-bind", "/usr", "/usr"),
        *_links("bin", "sbin", "lib", "lib64"),
        *(word for name in _ETC for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")),
        # Read-only: as root, a call could set the program that the kernel runs, outside, for a core file.
        *(("--proc", "/proc") if own_proc else ("--tmpfs", "/proc")),
        "--remount-ro",
        "/proc",
        # Only after its tmpfs is mounted in it: a read-only /dev takes no new mount.
        *("--dev", "/dev", *_memory(_SHARED, memory_mb), "--remount-ro", "/dev", *_memory(_TMP, memory_mb)),
        *("--ro-bind", brought, BROUGHT),
        *(() if info is None else _way_out(info)),
        *(word for inside_, path in mounts.read.items() for word in ("--ro-bind", path, inside_)),
        *(word for inside_, path in mounts.write.items() for word in ("--bind", path, inside_)),
        *(word for name, value in mounts.variables.items() for word in ("--setenv", name, value)),
        # The root becomes read-only last: every line above makes something in it.
        *("--bind", workspace, WORKSPACE, "--chdir", WORKSPACE, "--remount-ro", "/"),
        *(() if filter_ is None else ("--seccomp", str(filter_))),
    ]
    return ["bwrap", *options, "--", *inside]


def waiting(*, memory_mb: int, pids: int, life: int, file_kb: int = FILE_SIZE_KB) -> list[str]:
    """Return the program of a sandbox that waits, behind limits, until a line comes on its stdin, and then becomes the
    program that was brought: `argv` (each word ended by NUL) and `stdin` in `BROUGHT`. Without a line it ends.

    The limits (memory of each process, processes of all, file size) are set inside, because the kernel counts
    processes per user namespace. It never counts them for root, so a bound on processes needs what the daemon has
    anyway: a user of its own. `life` is the reading end of a pipe that the starter holds open: when it closes, the
    program is killed, and its namespace ends with it. bwrap's own --die-with-parent misses a starter that is killed
    while the sandbox is being made.
    """
    # -c 0: a crash must not leave a core file, as large as its memory, in the workspace.
    # -d, not -v: programs that reserve addresses without using them (node, git on a large pack) work, hogs do not.
    limits = f"ulimit -c 0 -f {file_kb} -d {memory_mb * 1024} -u {pids}"
    watch = f"( ( read -r -u {life}; kill -KILL $$ ) </dev/null >/dev/null 2>&1 & )"
    become = f"mapfile -d '' -t argv <{BROUGHT}/argv && exec \"${{argv[@]}}\" {life}<&- <{BROUGHT}/stdin"
    return ["/bin/bash", "-c", f"{watch}; {limits} && read -r && {become}"]


def _way_out(info: int) -> list[str]:
    """The way to the proxy, which listens on the sandbox's own loopback, in the words of each kind of program."""
    return [
        *("--info-fd", str(info)),
        *(word for name in _PROXY_VARIABLES for word in ("--setenv", name, PROXY)),
        *(word for name in _TRUST_VARIABLES for word in ("--setenv", name, _TRUSTED)),
        *("--setenv", "NODE_USE_ENV_PROXY", "1"),
        *("--symlink", f"{BROUGHT}/{CERTIFICATES}", _TRUSTED),
    ]


def _memory(path: str, memory_mb: int) -> tuple[str, ...]:
    """A folder in memory, of a size of its own: it does not count towards a process's limit."""
    return ("--size", str(memory_mb * 1024 * 1024), "--tmpfs", path)


def _links(*names: str) -> list[str]:
    """The root's links into /usr, as every host with a merged /usr has them."""
    return [word for name in names for word in ("--symlink", f"usr/{name}", f"/{name}")]
