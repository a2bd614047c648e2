"""What a hand may change on a host, one thing each: how, what a plan or verify calls it, and how the hand undoes it."""

from dataclasses import dataclass

SECRETS = "/home/jada/secrets"
CURRENT = "/opt/jada-agent/current"
UNITS = "/etc/systemd/system"
DROP_IN = "printf '[Service]\\nEnvironment=X=1\\n'"
_PYC = f"$(ls {CURRENT}/app/agent/__pycache__/*.pyc | head -1)"


@dataclass(frozen=True)
class Change:
    """One change: `do` it in a shell; its name is in what is said of it. Without `undo` a deploy brings it back."""

    do: str
    named: str
    undo: str | None = None
    deep: bool = False


def _file(path, named, content="# by hand", mode="644"):
    """A file that a hand adds."""
    do = f"mkdir -p $(dirname {path}); echo '{content}' >{path}; chmod {mode} {path}"
    return Change(do, named, f"rm {path}")


def _appended(path, named, line="# by hand"):
    kept = f"/root/{path.replace('/', '-')}"
    return Change(f"cp -a {path} {kept}; echo '{line}' >>{path}", named, f"cp -a {kept} {path}")


_PASSWORDS = (
    "echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/00-y.conf; rm /run/sshd.pid; systemctl reload ssh;"
    # It writes the file once it has read its settings; times of files have the kernel's ticks.
    "timeout 60 sh -c 'until test -s /run/sshd.pid; do sleep 0.1; done'; sleep 0.1; rm /etc/ssh/sshd_config.d/00-y.conf"
)

CHANGES = {
    # what daemons do, whatever their files say
    "an sshd that was not reloaded": Change(_PASSWORDS, "in force ssh.service"),
    "an sshd that offers passwords": Change(
        "touch /run/sshd.pid",
        "sshd offers 127.0.0.1: it is publickey,password",
        "systemctl restart ssh",
        deep=True,
    ),
    # packages and updates
    "a package removed": Change("dpkg --remove bubblewrap", "bubblewrap"),
    "a package held": Change(
        "echo cron hold | dpkg --set-selections",
        "held packages by a hand: cron",
        "echo cron install | dpkg --set-selections",
    ),
    "a source of packages": _file("/etc/apt/sources.list.d/x.list", "area updates: /etc/apt/sources.list.d/x.list"),
    "updates switched off": _file("/etc/apt/apt.conf.d/99no", "area updates: /etc/apt/apt.conf.d/99no", "// by hand"),
    # files of ours
    "our sshd file": Change(
        "echo 'MaxAuthTries 20' >/etc/ssh/sshd_config.d/10-jada.conf; systemctl reload ssh",
        "/etc/ssh/sshd_config.d/10-jada.conf",
    ),
    "our journald file's mode": Change("chmod 666 /etc/systemd/journald.conf.d/50-jada.conf", "50-jada.conf"),
    "the recovery's owner": Change("chown jada /opt/jada-agent/recover.py", "recover.py"),
    "the recovery's unit": Change(f"systemctl disable jada-recover; rm {UNITS}/jada-recover.service", "jada-recover"),
    "a drop-in before ours": _file("/etc/ssh/sshd_config.d/00-x.conf", "sshd permitrootlogin", "PermitRootLogin yes"),
    "a match of users": _appended("/etc/ssh/sshd_config", "area ssh: /etc/ssh/sshd_config", "Match User admin"),
    "a journal in memory": _file(
        "/etc/systemd/journald.conf.d/60-x.conf", "journald Storage", "[Journal]\nStorage=volatile"
    ),
    # links and folders
    "a folder for a link": Change("rm /etc/jada; mkdir /etc/jada", "/etc/jada aside"),
    "a copy for a unit": Change(
        f"rm {UNITS}/jada-agent.service; cp {CURRENT}/units/jada-agent.service {UNITS}; systemctl daemon-reload",
        f"{UNITS}/jada-agent.service",
    ),
    "a unit that is not started at boot": Change(
        "systemctl disable jada-notify", "multi-user.target.wants/jada-notify"
    ),
    "a masked unit": Change(f"ln -sfn /dev/null {UNITS}/port-sheet-sync.service", f"{UNITS}/port-sheet-sync.service"),
    "our cron line's link": Change("rm /etc/cron.d/port-sheet-sync", "/etc/cron.d/port-sheet-sync"),
    "a folder's mode": Change("chmod 755 /var/lib/jada-sync", "/var/lib/jada-sync"),
    "a folder's group": Change("chgrp root /var/lib/jada-notify", "/var/lib/jada-notify"),
    "a folder for everyone": Change("chmod 777 /opt/jada-agent", "rights /opt/jada-agent: it is 0777 root:root"),
    "orders for all to read": Change("chmod 755 /opt/jada-agent/deploys", "/opt/jada-agent/deploys"),
    # users
    "a shell": Change("usermod -s /bin/bash jada", "account jada: shell is bash"),
    "a group": Change("usermod -aG sudo jada-sync", "account jada-sync: groups is"),
    "a password": Change("usermod -p '$6$x$y' jada-notify", "account jada-notify: password is there is one"),
    "a home": Change(
        "sed -i 's,:/var/lib/jada-dashboard:,:/tmp:,' /etc/passwd", "account jada-dashboard: home is /tmp"
    ),
    "a group taken": Change("gpasswd -d jada jada-queue", "account jada: "),
    "another root": Change(
        "useradd -o -u 0 toor", "user toor is new", "sed -i /^toor:/d /etc/passwd /etc/shadow /etc/group"
    ),
    "another user": Change("useradd mallory", "user mallory is new", "userdel mallory"),
    "root's password": Change(
        "cp -a /etc/shadow /root/shadow; usermod -p '$6$x$y' root",
        "user root was changed",
        "cp -a /root/shadow /etc/shadow",
    ),
    "an operator less": Change("gpasswd -d admin jada-operators", "admin to jada-operators"),
    "a key of the login user": _file("/home/admin/.ssh/authorized_keys", "/home/admin/.ssh/authorized_keys is new"),
    "a key of root": _file("/root/.ssh/authorized_keys", "/root/.ssh/authorized_keys is new"),
    # units
    "a drop-in": Change(
        f"mkdir -p {UNITS}/jada-agent.service.d; {DROP_IN} >{UNITS}/jada-agent.service.d/x.conf;"
        "systemctl daemon-reload",
        "jada-agent.service.d/x.conf",
    ),
    "a property": Change("systemctl set-property jada-dashboard.service MemoryMax=2G", "50-MemoryMax.conf"),
    "a drop-in until the next boot": Change(
        f"cd /run/systemd/system; mkdir -p jada-notify.service.d; {DROP_IN} >jada-notify.service.d/y.conf;"
        "systemctl daemon-reload",
        "jada-notify.service.d/y.conf",
    ),
    "a drop-in of what tells failures": _file(
        f"{UNITS}/jada-failed@.service.d/x.conf", "jada-failed@.service.d/x.conf"
    ),
    "another unit": _file(f"{UNITS}/multi-user.target.wants/x.service", "wants/x.service is new"),
    "another timer": _file("/usr/local/lib/systemd/system/x.timer", "/usr/local/lib/systemd/system/x.timer"),
    "cron stopped": Change("systemctl disable --now cron", "cron.service: ActiveState is inactive"),
    "a drop-in of cron": Change(
        f"mkdir -p {UNITS}/cron.service.d; {DROP_IN} >{UNITS}/cron.service.d/x.conf;systemctl daemon-reload",
        "cron.service.d/x.conf",
    ),
    "a service stopped": Change("systemctl stop jada-notify", "jada-notify.service: it is inactive"),
    # cron's other tables, sudo
    "a cron table": _file("/etc/cron.d/x", "area cron: /etc/cron.d/x is new", "* * * * * root true"),
    "root's crontab": _file("/var/spool/cron/crontabs/root", "/var/spool/cron/crontabs/root is new", mode="600"),
    "a crontab of the worker": _file("/var/spool/cron/crontabs/jada", "/var/spool/cron/crontabs/jada is new"),
    "the system's crontab": _appended("/etc/crontab", "/etc/crontab was changed"),
    "a daily script": _file("/etc/cron.daily/x", "/etc/cron.daily/x is new", mode="755"),
    "a sudo rule": _file("/etc/sudoers.d/x", "area sudo: /etc/sudoers.d/x is new", "# rule", "440"),
    "sudo's mode": Change(
        "chmod 644 /etc/sudoers", "/etc/sudoers was 0440 root:root, is 0644 root:root", "chmod 440 /etc/sudoers"
    ),
    # secrets
    "a secret": Change(
        f"cp -a {SECRETS}/bookings_token /root/token; echo other >{SECRETS}/bookings_token",
        "secret bookings_token: bookings_token was changed",
        f"cp -a /root/token {SECRETS}/bookings_token",
    ),
    "a secret that a service holds": Change(
        f"echo -n >>{SECRETS}/x; rm {SECRETS}/x; cp -a {SECRETS}/anthropic_api_key"
        f" /root/key; echo other >{SECRETS}/anthropic_api_key",
        "secret anthropic_api_key: ",
        f"cp -a /root/key {SECRETS}/anthropic_api_key",
    ),
    "a secret's mode": Change(f"chmod 644 {SECRETS}/port_sheet_token.json", f"{SECRETS}/port_sheet_token.json"),
    "a file among the secrets": Change(
        f"echo x >{SECRETS}/notes", f"strangers in {SECRETS}: {SECRETS}/notes", f"rm {SECRETS}/notes"
    ),
    # the release and its environment
    "a program added": Change(f"echo 1 >{CURRENT}/app/sitecustomize.py", "app/sitecustomize.py"),
    "the settings": Change(f"echo '# x' >>{CURRENT}/etc/jada.toml", "etc/jada.toml"),
    "what Python compiled": Change(f"echo x >>{_PYC}", ".pyc"),
    "a program for all to write": Change(f"chmod 666 {CURRENT}/app/agent/__main__.py", "app/agent/__main__.py"),
    "an environment, its times set back": Change(
        f"cd {CURRENT}/venv; cp -a pyvenv.cfg /root/c; sed -i s/false/fa1se/ pyvenv.cfg; touch -r /root/c pyvenv.cfg",
        "the Python environment",
    ),
    # state
    "state that is root's": Change("touch /var/lib/jada-agent/x", "/var/lib/jada-agent/x"),
    "a queue for all to read": Change("chmod 644 /var/lib/jada-dashboard/queue.db", "/var/lib/jada-dashboard/queue.db"),
    # the rest
    "the names of hosts": _appended("/etc/hosts", "area network: /etc/hosts", "10.0.0.1 api.anthropic.com"),
    "a setting of the kernel": _file("/etc/sysctl.d/x.conf", "/etc/sysctl.d/x.conf is new"),
    "a library before all": _file("/etc/ld.so.preload", "/etc/ld.so.preload is new", ""),
    "what shells begin with": _file("/etc/profile.d/x.sh", "/etc/profile.d/x.sh is new"),
    "how users are let in": _appended("/etc/pam.d/sshd", "area login: /etc/pam.d/sshd was changed"),
    "a program before the system's": _file("/usr/local/bin/python3", "/usr/local/bin/python3 is new"),
    "a message": _file("/etc/motd.x", "/etc/motd.x is new"),
    "a folder of the system": Change(
        "chmod 777 /etc/ssl", "/etc/ssl was 0755 root:root, is 0777 root:root", "chmod 755 /etc/ssl"
    ),
    "a program with root's rights": Change(
        "cp /bin/true /usr/lib/x; chmod 4755 /usr/lib/x", "/usr/lib/x is new", "rm /usr/lib/x", deep=True
    ),
    "a program for all to write, of the system": Change(
        "cp /bin/true /srv/y; chmod 777 /srv/y", "/srv/y is new", "rm /srv/y", deep=True
    ),
    "a program of a package": Change(
        "cp -a /usr/bin/tac /root/tac; echo >>/usr/bin/tac",
        "/usr/bin/tac is new",
        "cp -a /root/tac /usr/bin/tac",
        deep=True,
    ),
}
