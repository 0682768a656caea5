"""Without the future import annotations are evaluated."""
import typing


def function(a: only_here, b: list[lambda: 1], *c: [x for x in y], d: z = 1, **e: f) -> typing.Any:
    v: local_type
    w: other_type = 1
    (q): r
    (s): t = 1
    def inner(d: a) -> v: return lambda: w
    return inner


class C:
    field: int
    __private: __type
    def method(self: 'C', x: field = field) -> field: return x
    def closure(self):
        cell = 1
        def inner(x: cell) -> cell: pass
        return inner


