"""Under this future import annotations are not evaluated."""
from __future__ import annotations
import typing


def function(a: only_here, b: list[lambda: 1], *c: [x for x in y]) -> typing.Any:
    v: local_type
    w: other_type = 1
    (q): r
    def inner(d: a) -> v: return lambda: w
    return inner


class C:
    field: C
    other: (lambda: field) = 1
    def method(self: C, x: field = field) -> field: return x


module: unknown
value: int = [x for x in module]
async def coroutine(a: (lambda: yield_) = 2): pass
lambda a: a
