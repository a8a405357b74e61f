"""A graph of values, each made of others, as chains with branches: Sequential, Add, Concat."""

from ..errors import CheckpointError

MOST = 5_000  # values: a ResNet-152 has 500
DEPTH = 40  # branches inside branches


def nest(sources, output, start):
    """-> [step, ...] from start (excluded) to output: (name, branches), no branches in a chain.

    sources: {name: [names that it is made of]}, in an order in which each comes after its own. The
    branches of a value that is made of several begin where all ways to it last meet. Raises
    CheckpointError for a graph whose branches cross.
    """
    if len(sources) > MOST:
        raise CheckpointError(f"it has {len(sources):,} values, expected at most {MOST:,}")
    return _Nesting(sources, start).chain(output, start, 0)


class _Nesting:
    def __init__(self, sources, start):
        self.sources, self.placed = sources, set()
        self.above, self.depth = {start: None}, {start: 0}  # the tree of dominators
        for name, inputs in sources.items():
            meeting = inputs[0]
            for other in inputs[1:]:
                meeting = self.meet(meeting, other)
            self.above[name], self.depth[name] = meeting, self.depth[meeting] + 1

    def meet(self, a, b):
        """The last value that all ways to a and all ways to b pass."""
        while a != b:
            if self.depth[a] < self.depth[b]:
                a, b = b, a
            a = self.above[a]
        return a

    def chain(self, name, stop, level):
        if level > DEPTH:
            raise CheckpointError(f"it has branches inside branches more than {DEPTH} deep")
        steps = []
        while name != stop:
            if name in self.placed:
                raise CheckpointError(
                    f"the value {name!r:.60} is read by branches that cross; numpycnn's begin and "
                    "end together"
                )
            self.placed.add(name)
            inputs, before = self.sources[name], self.above[name]
            if len(inputs) == 1:
                steps.append((name, []))
            else:
                steps.append((name, [self.chain(one, before, level + 1) for one in inputs]))
            name = before
        return steps[::-1]
