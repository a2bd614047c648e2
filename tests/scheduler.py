"""Gives each process of a run what it may have next."""

from xdist.scheduler import LoadScopeScheduling

from tests.division import CHAIN, shared


class Scheduler(LoadScopeScheduling):
    """What waits longest comes first, but a cloud costs a minute of a core: half of the processes make one, when they
    begin. The others begin with what needs none, and make none when the chain is nearly over.
    """

    def __init__(self, config, log=None):
        super().__init__(config, log)
        self.clouds = set()
        """The processes that have a cloud."""

    def _split_scope(self, nodeid):
        return shared(nodeid)

    def _assign_work_unit(self, node):
        if scope := self._next_for(node):
            if scope.startswith(CHAIN):
                self.clouds.add(node)
            self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)
        else:
            node.shutdown()  # otherwise it would keep its last test until the others have ended

    def remove_node(self, node):
        self.clouds.discard(node)
        return super().remove_node(node)

    def _next_for(self, node):
        """What waits longest of what a process may have; None where that is nothing."""
        cloudy = self._may_have_a_cloud(node)
        return next((scope for scope in self.workqueue if cloudy or not scope.startswith(CHAIN)), None)

    def _may_have_a_cloud(self, node):
        if node in self.clouds:
            return True
        is_new = not self.assigned_work[node]
        if not self.clouds:
            # The chain must run somewhere: with one process, and where all that had a cloud crashed.
            return is_new or all(self.assigned_work.values())
        return is_new and len(self.clouds) < max(1, len(self.nodes) // 2)
