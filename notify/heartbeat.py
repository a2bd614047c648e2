"""The heartbeat to a service outside, by healthchecks.io's protocol: a dead host is seen by its silence."""

import logging
import threading
from collections.abc import Callable

import urllib3

from wire.client import Client, RequestRefused, Unreachable
from wire.secret import Secret

# The shortest period that healthchecks.io lets a check have.
EVERY_S = 60
LIMIT_S = 15
"""For a whole call: messages wait for it."""
OK = 200
WELL, FAIL, SILENCE = "", "/fail", "-"
"""How a called URL ends, by healthchecks.io's protocol; at silence none is called."""
log = logging.getLogger(__name__)


class Service:
    """The service outside, at its URL: what it does holds a call up for `limit_s` at most."""

    def __init__(self, url: Secret, limit_s: float) -> None:
        self.url = url.reveal().strip().rstrip("/")
        self._limit_s = limit_s
        self._calling = threading.Thread()

    def call(self, end: str, body: str) -> tuple[bool, str]:
        """Call it; return whether it took the call, and what is said of its answer. None is begun while one hangs."""
        answers: list[tuple[bool, str]] = []
        if not self._calling.is_alive():
            # A thread, for urllib3's limits are for each read: one that drips would hold up every message. A process
            # each minute would take more than all else that the sender does.
            self._calling = threading.Thread(
                target=lambda: answers.append(_call(self.url + end, body)), name="heartbeat", daemon=True
            )
            self._calling.start()
            self._calling.join(self._limit_s)
        return answers[0] if answers else (False, f"the service outside did not answer within {self._limit_s:g} s")


def _call(url: str, body: str) -> tuple[bool, str]:
    try:
        answer = urllib3.request(
            "POST", url, body=body.encode(), timeout=10, retries=False, redirect=False, preload_content=False
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        # The kind only: the text would show the URL, which is all that one needs to forge a heartbeat.
        return False, f"the service outside did not answer ({type(error).__name__})"
    # Its text is not read: it may have no end.
    answer.close()
    return answer.status == OK, f"the service outside answered with status {answer.status}"


def seen(url: Secret, limit_s: float = LIMIT_S) -> tuple[bool, str]:
    """Ask whether the service takes calls at this URL, by a line for its log: a beat would say that all is well."""
    return Service(url, limit_s).call("/log", "fab doctor asks whether this address is right")


class Heartbeat:
    """Calls the URL only while the dashboard says that all is well, and URL/fail with the reasons when it is not.

    A dashboard that does not answer is silence: a restart takes seconds, and the service outside has its own patience.
    So is what was not observed yet, after a start: a host that starts again and again must not look well.
    """

    def __init__(self, client: Client, url: Secret, clock: Callable[[], float], limit_s: float = LIMIT_S) -> None:
        self._client = client
        self._service = Service(url, limit_s)
        self._clock = clock
        self._next = clock()
        self._end = SILENCE
        self._answer = ""

    def beat(self, *, news: bool = False) -> None:
        """Call the service, when a URL is set and a beat is due; with `news` before that, for another word."""
        is_due = self._clock() >= self._next
        if not self._service.url or not (is_due or news):
            return
        end, body = self._word()
        if not is_due and end in {self._end, SILENCE}:
            return
        self._next = self._clock() + EVERY_S
        self._say(end, body)
        if end == WELL:
            # What was well when it was asked may not be so by the time that the service heard it: it is taken back now,
            # and not with the next beat.
            end, body = self._word()
            if end == FAIL:
                self._say(end, body)

    def _word(self) -> tuple[str, str]:
        """Ask how all stands; return how the called URL ends, and the call's text."""
        try:
            wellness = self._client.wellness()
        except Unreachable as error:
            self._note(f"none was sent: {error}", taken=False)
            return SILENCE, ""
        except RequestRefused as error:
            return FAIL, error.problem.detail
        if wellness.well:
            return WELL, "\n".join(wellness.basis)
        if wellness.complaints or not wellness.unproven:
            return FAIL, "\n".join(wellness.complaints)
        self._note(f"none is sent yet: {'; '.join(wellness.unproven)}", taken=True)
        return SILENCE, ""

    def _say(self, end: str, body: str) -> None:
        if end == SILENCE:
            return
        self._end = end
        taken, answer = self._service.call(end, body)
        self._note(answer, taken=taken)

    def _note(self, answer: str, *, taken: bool) -> None:
        """Log an answer when it is another one than the last."""
        if answer != self._answer:
            log.log(logging.INFO if taken else logging.WARNING, "heartbeat: %s", answer)
        self._answer = answer
