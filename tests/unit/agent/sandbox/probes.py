"""What a call of a model may try against its sandbox: commands that succeed without walls and must fail within them.

Each is one line for bash, which ends with 0 where it gets what it wants. They find by name: CANARY, a file beside the
workspace; SECRET, what it holds; VICTIM, a process of the host; PORT, where the host listens on loopback; ABSTRACT and
SOCKET, its sockets; SEGMENT, its shared memory; `call NUMBER …` makes a system call and fails when it is refused.
"""

from dataclasses import dataclass

PRELUDE = (
    "call() { /usr/bin/python3 -c 'import ctypes, sys; libc = ctypes.CDLL(None, use_errno=True)\n"
    'got = libc.syscall(*map(int, sys.argv[1:])); sys.exit(got < 0 and ctypes.get_errno() in (1, 38))\' "$@"; }\n'
    'python() { /usr/bin/python3 -c "$@"; }\n'
)
_HANDLE = (
    "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); handle = (ctypes.c_uint * 34)(128)\n"
    'mount = ctypes.c_int(); assert libc.name_to_handle_at(-100, b".", handle, ctypes.byref(mount), 0) == 0\n'
    'here = os.open(".", os.O_RDONLY); assert libc.open_by_handle_at(here, handle, 0) >= 0'
)
# Without walls the port is the machine's: shared, as another run of the tests may listen there at the same moment.
_LISTEN = (
    "import socket; listening = socket.socket(); listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
    'listening.bind(("127.0.0.1", 1))'
)


@dataclass(frozen=True)
class Probe:
    """One try: what it is after, the wall that stands against it, and the command."""

    name: str
    wall: str
    command: str


def _files():
    wall = "mounts: /usr and the workspace only"
    for name, command in (
        ("read the host's passwords", "head -c1 /etc/shadow"),
        ("read the host's SSH keys", "ls /etc/ssh"),
        ("read the host's names for addresses", "cat /etc/hosts"),
        ("read the host's resolver", "cat /etc/resolv.conf"),
        ("list root's home", "ls /root"),
        ("list users' homes", "ls /home"),
        ("list the state of services", "ls /var/lib"),
        ("list logs", "ls /var/log"),
        ("list devices of the kernel", "ls /sys/class"),
        ("list what runs", "ls /run/lock"),
        ("list the boot files", "ls /boot"),
        ("read a file beside the workspace", "cat $CANARY"),
        ("read it by a symbolic link", "ln -sf $CANARY link && cat link"),
        ("read it by a hard link", "rm -f hard && ln $CANARY hard && cat hard"),
        ("read it by the parent folder", "cat ../$(basename $CANARY)"),
        ("read it by another process's root", "cat /proc/$VICTIM/root$CANARY"),
        ("read it by another process's folder", "cat /proc/$VICTIM/cwd/$(basename $CANARY)"),
        ("read it by a descriptor that was left open", "cat <&9"),
        ("read a file in the host's /tmp", "cat $HOST_TMP"),
        ("read a file in the host's shared memory", "cat $HOST_SHM"),
        ("find a secret in the environment", "env | grep -q $SECRET"),
        ("see the kernel's messages as a device", "test -e /dev/kmsg"),
    ):
        yield Probe(name, wall, command)
    wall = "read-only mounts"
    # Names are each call's own (by its process): without walls they are the whole machine's, and another run's too.
    for name, command in (
        ("write into /usr", "echo x >/usr/local/jada-probe-$$ && rm /usr/local/jada-probe-$$"),
        ("write into /etc", "echo x >/etc/jada-probe-$$ && rm /etc/jada-probe-$$"),
        ("write into the root", "echo x >/jada-probe-$$ && rm /jada-probe-$$"),
        ("write into /dev", "echo x >/dev/jada-probe-$$ && rm /dev/jada-probe-$$"),
        ("write a setting of the kernel", ("core=$(cat /proc/sys/kernel/core_pattern) && "
         'echo "$core" >/proc/sys/kernel/core_pattern')),
    ):  # fmt: skip
        yield Probe(name, wall, command)


def _processes():
    wall = "own process namespace"
    for name, command in (
        ("signal a process of the host", "kill -0 $VICTIM"),
        ("read its command line", "cat /proc/$VICTIM/cmdline"),
        ("read its environment", "cat /proc/$VICTIM/environ"),
        ("list its open files", "ls /proc/$VICTIM/fd"),
        ("trace it", f'python "import ctypes; assert ctypes.CDLL(None).ptrace({0x4206}, $VICTIM, 0, 0) == 0"'),
        ("get a descriptor of it", 'python "import os; os.pidfd_open($VICTIM)"'),
        ("slow it down", "renice -n 19 -p $VICTIM"),
        ("change its limits", "prlimit --pid $VICTIM --nofile=100"),
        ("move it to another CPU", "taskset -p $VICTIM"),
        ("offer it to the memory killer", "echo 500 >/proc/$VICTIM/oom_score_adj"),
        ("enter its network", "nsenter -t $VICTIM -n true"),
        ("enter its mounts", "nsenter -t $VICTIM -m true"),
    ):  # fmt: skip
        yield Probe(name, wall, command)


def _network():
    wall = "own network namespace"
    for name, command in (
        ("connect to the host's loopback", "exec 5<>/dev/tcp/127.0.0.1/$PORT"),
        ("connect to an abstract socket", "python \"import socket; socket.socket(1).connect('\\0$ABSTRACT')\""),
        ("see the host's interfaces", "python 'import socket; assert len(socket.if_nameindex()) > 1'"),
    ):
        yield Probe(name, wall, command)
    yield Probe("connect to a socket beside the workspace", "mounts: /usr and the workspace only",
                "python \"import socket; socket.socket(1).connect('$SOCKET')\"")  # fmt: skip
    yield Probe("read the host's shared memory segment", "own IPC namespace", "ipcs -m -i $SEGMENT | grep -q $SEGMENT")


def _capabilities():
    wall = "no capability"
    for name, command in (
        ("mount a file system", "mount -t tmpfs none /mnt"),
        ("mount another /proc", "mount -t proc proc /mnt"),
        ("make the root writable", "mount -o remount,bind,rw /"),
        ("change the root", "chroot / true"),
        ("make a device", "rm -f device && mknod device c 1 3"),
        ("open a file by its handle", f"python '{_HANDLE}'"),
        ("give a file away", "touch mine && chown 12345 mine"),
        ("become another user", "python 'import os; os.setuid(12345)'"),
        # To the nanosecond: without walls it is the machine's, and a whole second would take it back by up to one.
        ("set the clock", "date -s @$(date +%s.%N)"),
        ("set the host's name", 'hostname "$(hostname)"'),
        ("configure an interface", "ip link set lo up"),
        ("listen on a port of the system", f"python '{_LISTEN}'"),
        ("write raw packets", "python 'import socket; socket.socket(2, 3, 1)'"),
        ("read all packets", "python 'import socket; socket.socket(17, 3)'"),
        ("take a higher priority", "python 'import os; had = os.nice(0); assert os.nice(-1) == had - 1'"),
        ("write a trusted attribute", 'touch own && python \'import os; os.setxattr("own", "trusted.x", b"1")\''),
        ("read the kernel's log", "dmesg >/dev/null"),
    ):
        yield Probe(name, wall, command)


def _limits():
    wall = "limits that can't be raised"
    for name, command in (
        ("leave core files", "ulimit -c 1000"),
        ("take more memory by a new limit", "ulimit -d unlimited"),
        ("write larger files by a new limit", "ulimit -f unlimited"),
        ("take more memory", "python 'bytearray(100_000_000)'"),
        ("write a huge file", "truncate -s 2G huge && rm huge"),
        ("fill /tmp", ("head -c 100M /dev/zero >/tmp/jada-probe-$$; test $(stat -c %s /tmp/jada-probe-$$) = 104857600;"
         " code=$?; rm /tmp/jada-probe-$$; exit $code")),
        ("fill shared memory", ("head -c 100M /dev/zero >/dev/shm/jada-probe-$$;"
         " test $(stat -c %s /dev/shm/jada-probe-$$) = 104857600; code=$?; rm /dev/shm/jada-probe-$$; exit $code")),
    ):  # fmt: skip
        yield Probe(name, wall, command)


def _kernel():
    wall = "filter of system calls"
    for name, command in (
        ("begin a user namespace", "unshare --user true"),
        ("begin one by clone", f"call 56 {0x10000000 | 17} 0 0 0 0"),
        ("begin one by clone3", "call 435 0 0"),
        ("make a sandbox of its own", "bwrap --unshare-user --ro-bind / / true"),
        ("do input and output by io_uring", "call 425 8 0"),
        ("enter an io_uring", "call 426 0 0 0 0 0"),
        ("register with an io_uring", "call 427 0 0 0 0"),
        ("keep a key for a later call", "call 250 0 -4 1"),
        ("add a key", "call 248 0 0 0 0 -4"),
        ("ask for a key", "call 249 0 0 0 -4"),
        ("load a program into the kernel", "call 321 0 0 0"),
        ("watch events of the processor", "call 298 0 0 0 0 0"),
        ("handle page faults of the kernel", "call 323 -1"),
    ):
        yield Probe(name, wall, command)


PROBES = (*_files(), *_processes(), *_network(), *_capabilities(), *_limits(), *_kernel())
