"""The heartbeat to a service outside, by healthchecks.io's protocol: a dead host is seen by its silence."""

import logging
from collections.abc import Callable

import urllib3

from wire.client import Client, RequestRefused, Unreachable
from wire.secret import Secret

EVERY_S = 60
OK = 200
log = logging.getLogger(__name__)


def call(url: str, end: str, body: str) -> tuple[bool, str]:
    """Call the service outside; return whether it took the call, and what is said of its answer."""
    try:
        answer = urllib3.request("POST", url + end, body=body.encode(), timeout=10, retries=False, redirect=False)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        # The kind only: the text would show the URL, which is all that one needs to forge a heartbeat.
        return False, f"the service outside did not answer ({type(error).__name__})"
    return answer.status == OK, f"the service outside answered with status {answer.status}"


def seen(url: Secret) -> tuple[bool, str]:
    """Ask whether the service takes calls at this URL, by a line for its log: a beat would say that all is well."""
    return call(url.reveal().strip().rstrip("/"), "/log", "fab doctor asks whether this address is right")


class Heartbeat:
    """Calls the URL only while the dashboard says that all is well, and URL/fail with the reasons when it is not.

    A dashboard that does not answer is silence: a restart takes seconds, and the service outside has its own patience.
    So is what nobody has observed yet, after a start: a host that starts again and again must not look well.
    """

    def __init__(self, client: Client, url: Secret, clock: Callable[[], float]) -> None:
        self._client = client
        self._url = url.reveal().strip().rstrip("/")
        self._clock = clock
        self._next = clock()
        self._answer = ""

    def beat(self) -> None:
        """Call the service, when a URL is set and a beat is due."""
        if not self._url or self._clock() < self._next:
            return
        self._next = self._clock() + EVERY_S
        try:
            wellness = self._client.wellness()
        except Unreachable as error:
            self._note(f"none was sent: {error}", taken=False)
            return
        except RequestRefused as error:
            self._call("/fail", error.problem.detail)
            return
        if wellness.well:
            self._call("", "")
        elif wellness.complaints or not wellness.unproven:
            self._call("/fail", "\n".join(wellness.complaints))
        else:
            self._note(f"none is sent yet: {'; '.join(wellness.unproven)}", taken=True)

    def _call(self, end: str, body: str) -> None:
        taken, answer = call(self._url, end, body)
        self._note(answer, taken=taken)

    def _note(self, answer: str, *, taken: bool) -> None:
        """Log an answer when it is another one than the last."""
        if answer != self._answer:
            log.log(logging.INFO if taken else logging.WARNING, "heartbeat: %s", answer)
        self._answer = answer
