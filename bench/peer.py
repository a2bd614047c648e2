"""The peer: procrastinate on PostgreSQL, both with their defaults."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Status
from procrastinate.types import JSONDict

from bench.contender import DESCRIPTION, TITLE

FILLED_AT_ONCE = 1000


class Peer:
    """One worker's calls of the database for each job: fetch it, mark it succeeded. The worker's own loop, its logging
    and the call of the job's function are left out, in the peer's favour.
    """

    def __init__(self, app: App, runner: asyncio.Runner) -> None:
        self._app = app
        self._runner = runner
        self._worker = runner.run(app.job_manager.register_worker())

    def work(self, pairs: int) -> None:
        """Fetch and finish so many jobs."""
        self._runner.run(self._work(pairs))

    async def _work(self, pairs: int) -> None:
        jobs = self._app.job_manager
        for _ in range(pairs):
            job = await jobs.fetch_job(queues=None, worker_id=self._worker)
            if job is None:
                raise RuntimeError("the peer's queue is empty: it must be filled with more jobs than the rounds take")
            await jobs.finish_job(job=job, status=Status.SUCCEEDED, delete_job=False)


@contextmanager
def peer(conninfo: str, tasks: int) -> Iterator[Peer]:
    """Make procrastinate's tables in an empty database and queue so many jobs."""
    connector = PsycopgConnector(conninfo=conninfo)
    app = App(connector=connector)
    with asyncio.Runner() as runner:
        runner.run(connector.open_async())
        try:
            runner.run(_fill(app, tasks))
            yield Peer(app, runner)
        finally:
            runner.run(connector.close_async())


async def _fill(app: App, tasks: int) -> None:
    await app.schema_manager.apply_schema_async()
    work = app.configure_task("bench.work", allow_unknown=True)
    for first in range(0, tasks, FILLED_AT_ONCE):
        jobs = [_arguments(n) for n in range(first, min(first + FILLED_AT_ONCE, tasks))]
        await work.batch_defer_async(*jobs)


def _arguments(n: int) -> JSONDict:
    return {"title": f"{TITLE} {n}", "description": DESCRIPTION}
