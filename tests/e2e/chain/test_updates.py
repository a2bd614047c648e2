"""A security update that waits is named, and installed by what a deploy set up: from a repository made here."""

import json

import pytest

pytestmark = [pytest.mark.root, pytest.mark.chain]
LIST = "/etc/apt/sources.list.d/proof.list"
FOLDER = "/srv/security"
PUBLISHED = f"""
set -e
mkdir -p {FOLDER}
cd {FOLDER}
for version in 1.0 1.1; do
    mkdir -p "built/$version/DEBIAN"
    printf '%s\\n' 'Package: jada-proof' "Version: $version" 'Architecture: all' \\
        'Maintainer: nobody <nobody@example.com>' 'Description: proof' >"built/$version/DEBIAN/control"
    dpkg-deb --build "built/$version" "$version.deb"
done
digest() {{ sha256sum "$1" | cut -d ' ' -f 1; }}
{{
    dpkg-deb -f 1.1.deb
    printf 'Filename: ./1.1.deb\\nSize: %s\\nSHA256: %s\\n' "$(stat -c %s 1.1.deb)" "$(digest 1.1.deb)"
}} >Packages
. /etc/os-release
{{
    printf 'Origin: Debian\\nLabel: Debian-Security\\nSuite: stable-security\\n'
    printf 'Codename: %s-security\\n' "$VERSION_CODENAME"
    printf 'Date: %s\\nSHA256:\\n %s %s Packages\\n' "$(date -Ru)" "$(digest Packages)" "$(stat -c %s Packages)"
}} >Release
echo 'deb [trusted=yes] file:{FOLDER} ./' >{LIST}
dpkg --install 1.0.deb
# Only this list: the others are the image's, and Debian's mirrors are out of reach.
apt-get update -o Dir::Etc::sourcelist={LIST} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
"""


@pytest.fixture
def published(chain):
    """An older version of a package is installed, and a newer one is in a repository of Debian's security team."""
    # At an hour of its own choice each of them would have apt's locks.
    timers = "apt-daily.timer apt-daily-upgrade.timer"
    chain.host(f"systemctl stop {timers} apt-daily.service apt-daily-upgrade.service")
    chain.host(PUBLISHED)
    yield
    chain.host(f"systemctl start {timers}")
    chain.host(f"dpkg --purge jada-proof; rm -r {LIST} {FOLDER} /var/lib/apt/lists/*srv_security*", check=False)


def _row(chain):
    told = json.loads(chain.fab("audit", "--json", check=False).stdout)
    return next(row for row in told["rows"] if row["name"] == "updates")


def test_a_security_update_is_named_until_the_daily_run_has_installed_it(chain, published):
    row = _row(chain)
    assert row["verdict"] == "look"
    assert row["seen"].startswith("1 security updates")
    assert "jada-proof" in row["seen"]
    # Once a day, by this run's own stamp.
    chain.host("rm -f /var/lib/apt/periodic/upgrade-stamp && systemctl start apt-daily-upgrade.service")
    assert chain.host("dpkg-query --show jada-proof").split() == ["jada-proof", "1.1"]
    row = _row(chain)
    assert (row["verdict"], row["seen"].partition(";")[0]) == ("ok", "0 security updates and 0 others wait")
