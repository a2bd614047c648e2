"""What a sandbox shows, as the command line says it; bubblewrap carries its options out in their order."""

import pytest

from agent.sandbox.command import Mounts, bubblewrap, waiting

GIVEN = {"memory_mb": 64, "own_proc": True, "report": 7, "brought": "/b", "filter_": 9}


def argv(**changes):
    return bubblewrap("/w", ["true"], **{**GIVEN, **changes})


def steps(**changes):
    """The options, each with its arguments: [("--ro-bind", "/usr", "/usr"), …]."""
    words = argv(**changes)
    found = []
    for word in words[1 : words.index("--")]:
        found = [*found, (word,)] if word.startswith("--") else [*found[:-1], (*found[-1], word)]
    return found


def given(option, **changes):
    return [rest for name, *rest in steps(**changes) if name == option]


def in_order(*wanted, **changes):
    places = [steps(**changes).index(step) for step in wanted]
    return places == sorted(places)


def test_every_namespace_is_its_own_and_nothing_is_shared_again():
    assert [step for step in steps() if "share" in step[0]] == [("--unshare-all",)]


def test_it_dies_with_its_starter_and_has_no_terminal_and_no_capability():
    assert {("--die-with-parent",), ("--new-session",), ("--cap-drop", "ALL")} <= set(steps())
    assert not given("--cap-add")


def test_its_environment_is_emptied_first_and_holds_only_what_is_given():
    paths = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    assert given("--setenv") == [["PATH", paths], ["HOME", "/tmp"], ["LANG", "C.UTF-8"], ["REPORT_FD", "7"]]
    assert in_order(("--clearenv",), ("--setenv", "PATH", paths))


def test_the_workspace_is_the_only_folder_of_the_host_that_can_be_written():
    assert given("--bind") == [["/w", "/workspace"]]
    assert {step[0] for step in steps() if "bind" in step[0]} == {"--bind", "--ro-bind", "--ro-bind-try"}


def test_a_program_starts_in_the_workspace():
    assert given("--chdir") == [["/workspace"]]


def test_nothing_of_the_host_is_read_but_programs_and_harmless_settings():
    assert given("--ro-bind") == [["/usr", "/usr"], ["/b", "/run/jada"]]
    harmless = ("alternatives", "group", "ld.so.cache", "localtime", "nsswitch.conf", "passwd")
    assert given("--ro-bind-try") == [[f"/etc/{name}", f"/etc/{name}"] for name in harmless]


def test_programs_are_found_where_scripts_look_for_them():
    assert given("--symlink") == [[f"usr/{name}", f"/{name}"] for name in ("bin", "sbin", "lib", "lib64")]


def test_the_proc_that_it_sees_is_its_own():
    assert given("--proc") == [["/proc"]]
    assert [step for step in steps() if "/proc" in step] == [("--proc", "/proc"), ("--remount-ro", "/proc")]


def test_where_the_kernel_refuses_a_proc_it_is_empty_and_read_only():
    about = [step for step in steps(own_proc=False) if "/proc" in step]
    assert about == [("--tmpfs", "/proc"), ("--remount-ro", "/proc")]


def test_files_in_memory_are_bounded_by_the_same_megabytes_wherever_they_can_be_written():
    """bubblewrap's --size counts for the one folder that follows it."""
    sized = [(size, folder) for size, folder in zip(steps(), steps()[1:], strict=False) if size[0] == "--size"]
    assert sized == [
        (("--size", "67108864"), ("--tmpfs", "/dev/shm")),
        (("--size", "67108864"), ("--tmpfs", "/tmp")),
    ]
    assert len(given("--tmpfs")) == 2


def test_shared_memory_is_made_in_the_new_dev_before_that_becomes_read_only():
    """The other order would hide it below /dev, or be refused by a folder that takes no new mount."""
    assert in_order(("--dev", "/dev"), ("--tmpfs", "/dev/shm"), ("--remount-ro", "/dev"))


@pytest.mark.parametrize("own_proc", [True, False])
def test_the_root_becomes_read_only_after_all_that_is_made_in_it(own_proc):
    made = [step for step in steps(own_proc=own_proc) if step[0] != "--seccomp"]
    assert made[-1] == ("--remount-ro", "/")
    assert given("--remount-ro", own_proc=own_proc) == [["/proc"], ["/dev"], ["/"]]


def test_what_is_brought_is_shown_read_only_and_no_folder_in_memory_hides_it():
    assert in_order(("--tmpfs", "/tmp"), ("--ro-bind", "/b", "/run/jada"))


def test_system_calls_are_filtered_where_there_is_a_filter():
    assert given("--seccomp") == [["9"]]
    assert given("--seccomp", filter_=None) == []


def test_the_queues_socket_is_out_of_sight():
    """Whoever connects to it as the worker's user may do what the worker may."""
    shown = [rest[0] for option in ("--bind", "--ro-bind", "--ro-bind-try", "--dev-bind") for rest in given(option)]
    assert "/usr" in shown
    assert not [path for path in shown if path == "/" or path.startswith(("/run", "/var"))]


def test_folders_besides_the_workspace_are_bound_as_they_are_lent_and_named_in_variables():
    mounts = Mounts(read={"/in": "/host/in"}, write={"/out": "/host/out"}, variables={"CACHE": "/out"})
    assert ["/host/in", "/in"] in given("--ro-bind", mounts=mounts)
    assert given("--bind", mounts=mounts) == [["/host/out", "/out"], ["/w", "/workspace"]]
    assert given("--setenv", mounts=mounts)[-1] == ["CACHE", "/out"]


def test_with_a_way_out_every_kind_of_program_is_told_of_the_proxy_and_whom_to_trust():
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    told = [
        *([name, "http://127.0.0.1:3128"] for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")),
        *([name, certificates] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")),
        ["GIT_SSL_CAINFO", certificates],
        ["NODE_USE_ENV_PROXY", "1"],
    ]
    assert [rest for rest in given("--setenv", info=5) if rest not in given("--setenv")] == told
    assert given("--symlink", info=5)[-1] == ["/run/jada/certificates", certificates]
    assert (given("--info-fd", info=5), given("--info-fd")) == ([["5"]], [])


def test_the_program_comes_last_and_its_words_are_no_options():
    words = bubblewrap("/w", ["--bind", "/", "--", "$c d"], **GIVEN)
    assert words[0] == "bwrap"
    assert words[words.index("--") :] == ["--", "--bind", "/", "--", "$c d"]


def test_limits_and_the_watch_over_its_life_stand_before_the_program_comes():
    watch = "( ( read -r -u 8; kill -KILL $$ ) </dev/null >/dev/null 2>&1 & )"
    become = "mapfile -d '' -t argv </run/jada/argv && exec \"${argv[@]}\" 8<&- </run/jada/stdin"
    script = f"{watch}; ulimit -c 0 -f 1048576 -d 2048 -u 9 && read -r && {become}"
    assert waiting(memory_mb=2, pids=9, life=8) == ["/bin/bash", "-c", script]
