"""Parts of the file system that are not ours, yet decide what this host does: what is in them is compared with what was
there when the host was deployed first.
"""

AREAS: dict[str, tuple[str, ...]] = {
    "cron": ("/etc/crontab", "/etc/anacrontab", "/etc/cron.*", "/etc/at.*", "/var/spool/cron"),
    "sudo": ("/etc/sudoers", "/etc/sudoers.d"),
    "ssh": ("/etc/ssh",),
    "login keys": ("/root/.ssh", "/home/*/.ssh"),
    "units": ("/etc/systemd", "/run/systemd/system", "/run/systemd/system.control", "/usr/local/lib/systemd"),
    "login": (
        *("/etc/pam.d", "/etc/pam.conf", "/etc/security", "/etc/login.defs", "/etc/nsswitch.conf", "/etc/shells"),
        *("/etc/profile", "/etc/profile.d", "/etc/bash.bashrc", "/etc/environment", "/root/.profile", "/root/.bashrc"),
    ),
    "updates": ("/etc/apt",),
    "network": ("/etc/hosts", "/etc/resolv.conf", "/etc/network", "/etc/nftables.conf", "/etc/sysctl.*", "/etc/fstab"),
    "local programs": ("/usr/local/bin", "/usr/local/sbin", "/usr/local/lib"),
    "the rest of /etc": ("/etc",),
}
"""Area → paths, patterns among them. The last one has what no other has."""
MOVING = (
    # Accounts have rows of their own.
    *("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid"),
    *("/etc/passwd-", "/etc/shadow-", "/etc/group-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"),
    # Written by programs of the system from what is elsewhere.
    *("/etc/.pwd.lock", "/etc/.updated", "/etc/ld.so.cache", "/etc/mtab", "/etc/adjtime", "/etc/ssl/certs"),
    *(
        "/etc/ca-certificates.conf*",
        "/etc/alternatives",
        "/etc/udev/hwdb.bin",
        "/etc/apparmor.d/cache",
        "/etc/rc*.d",
        "/root/.ssh/known_hosts*",
    ),
    # What a deploy moved aside.
    "*.moved-[0-9]*",
)
"""What changes without a hand, and says nothing."""
