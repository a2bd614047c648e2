"""The section [backup]: what goes together, and what is refused by its key."""

import pyrage
import pytest

from backup import settings
from wire.values import Invalid

PUBLIC = str(pyrage.x25519.Identity.generate().to_public())
SENT = {"recipients": [PUBLIC], "target": "sftp://jada@nas.example:2222/backups", "host_key": "ssh-ed25519 AAAA"}


def test_without_a_section_nothing_is_sent():
    assert settings.read({}).target == ""


def test_a_target_is_a_folder_of_a_user_on_a_host():
    target = settings.target(settings.read(SENT))
    assert (target.user, target.known_as, target.folder) == ("jada", "[nas.example]:2222", "backups")
    assert settings.target(settings.read({**SENT, "target": "sftp://jada@nas.example"})).folder == "."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipients": []}, "backup.recipients: is empty"),
        ({"recipients": ["AGE-SECRET-KEY-1QQQ"]}, "never a secret one"),
        ({"recipients": [PUBLIC[:-1]]}, "must be public keys"),
        ({"recipients": [PUBLIC[:-1] + ("q" if PUBLIC[-1] != "q" else "p")]}, "must be public keys"),
        ({"host_key": ""}, "backup.host_key: must be the target's"),
        ({"target": "sftp://jada:secret@nas.example/x"}, "no password"),
        ({"target": "sftp://jada@nas.example/a b"}, "backup.target"),
        ({"target": "sftp://jada@nas.example/../etc"}, "backup.target"),
        ({"target": "sftp://-oProxyCommand=x@nas.example/x"}, "backup.target"),
        ({"target": "sftp://jada@nas.example:70000/x"}, "backup.target"),
        ({"target": "s3://bucket"}, "must be sftp://"),
        ({"hour": 24}, "backup.hour"),
        ({"keeps": 3}, "backup.keeps: unknown"),
    ],
)
def test_what_does_not_go_together_is_refused_by_its_key(change, said):
    with pytest.raises(Invalid) as caught:
        settings.read({**SENT, **change})
    assert said in str(caught.value)
    assert "1QQQ" not in str(caught.value)
