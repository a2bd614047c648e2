"""What a sandbox shows, as the command line says it."""

from agent.sandbox.command import bubblewrap, limited


def argv(**changes):
    return bubblewrap("/w", ["true"], **{"memory_mb": 64, "own_proc": True, "report": 7, **changes})


def pairs(words, option):
    return [tuple(words[i + 1 : i + 3]) for i, word in enumerate(words) if word == option]


def test_every_namespace_is_its_own_and_it_dies_with_its_starter():
    assert {"--unshare-all", "--die-with-parent", "--new-session", "--clearenv"} <= set(argv())
    assert pairs(argv(), "--cap-drop") == [("ALL", "--setenv")]


def test_the_workspace_is_the_only_folder_of_the_host_that_can_be_written():
    assert pairs(argv(), "--bind") == [("/w", "/workspace")]
    assert argv()[argv().index("--") - 2 : argv().index("--")] == ["--remount-ro", "/"]


def test_nothing_of_the_host_is_read_but_programs_and_harmless_settings():
    shown = {source for option in ("--ro-bind", "--ro-bind-try") for source, _ in pairs(argv(), option)}
    assert shown == {"/usr"} | {
        f"/etc/{n}" for n in ("alternatives", "group", "ld.so.cache", "localtime", "nsswitch.conf", "passwd")
    }


def test_the_hosts_proc_is_never_shown():
    assert "/proc" not in {source for source, _ in pairs(argv(own_proc=False), "--ro-bind")}
    assert ("/proc", "--remount-ro") in pairs(argv(own_proc=False), "--tmpfs")
    assert pairs(argv(), "--proc")[0][0] == "/proc"


def test_folders_in_memory_have_a_size():
    words = argv()
    sized = [words[i + 3] for i, word in enumerate(words) if word == "--size"]
    assert sized == ["/dev/shm", "/tmp"]
    assert [size for size, _ in pairs(words, "--size")] == ["67108864", "67108864"]


def test_data_is_shown_read_only_at_its_path():
    assert pairs(argv(data=[(9, "/run/jada/x")]), "--ro-bind-data") == [("9", "/run/jada/x")]


def test_the_program_comes_last_and_untouched():
    assert bubblewrap("/w", ["a b", "--", "$c"], memory_mb=1, own_proc=True, report=7)[-3:] == ["a b", "--", "$c"]


def test_limits_and_the_watch_over_its_life_come_before_the_program():
    watch = "( ( read -r -u 8; kill -KILL $$ ) >/dev/null 2>&1 & )"
    script = f'{watch}; ulimit -c 0 -f 1048576 -v 2048 -u 9 && exec "$@" 8<&-'
    assert limited(["a", "b"], memory_mb=2, pids=9, life=8) == ["/bin/bash", "-c", script, "limits", "a", "b"]


def test_the_whole_command_line_is_this():
    """A word more or less here is a hole or a tool that no longer starts: change it knowingly."""
    options = """
        --unshare-all --die-with-parent --new-session --clearenv --cap-drop ALL
        --setenv PATH /usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin --setenv HOME /tmp --setenv LANG C.UTF-8
        --setenv REPORT_FD 7
        --ro-bind /usr /usr
        --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64
        --ro-bind-try /etc/alternatives /etc/alternatives --ro-bind-try /etc/group /etc/group
        --ro-bind-try /etc/ld.so.cache /etc/ld.so.cache --ro-bind-try /etc/localtime /etc/localtime
        --ro-bind-try /etc/nsswitch.conf /etc/nsswitch.conf --ro-bind-try /etc/passwd /etc/passwd
        --proc /proc
        --dev /dev --size 67108864 --tmpfs /dev/shm --remount-ro /dev --size 67108864 --tmpfs /tmp
        --ro-bind-data 9 /run/jada/x
        --bind /w /workspace --chdir /workspace --remount-ro /
    """
    assert argv(data=[(9, "/run/jada/x")]) == ["bwrap", *options.split(), "--", "true"]
    without = options.replace("--proc /proc", "--tmpfs /proc --remount-ro /proc").replace(
        "--ro-bind-data 9 /run/jada/x", ""
    )
    assert argv(own_proc=False) == ["bwrap", *without.split(), "--", "true"]
