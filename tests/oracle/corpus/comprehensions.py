"""Scopes of comprehensions, and assignment expressions in them."""
data = [1, 2]
a = [x for x in data]
b = {x for x in data if x if x > 1}
c = {k: v for k, v in data}
d = (x for x in data)
e = [(x, y) for x in data for y in x if y for z in y]
f = [[y for y in x] for x in data]
g = [x for x in [y for y in data]]
h = [lambda: x for x in data]
i = [w := x for x in data]
j = [(w := 1, [w := 2 for _ in data]) for _ in data]
k = any((found := x) for x in data), found
l = [x for x, *rest in data]
m = [(lambda v=x: v)() for x in data]
n = {**{k: v for k, v in data}}
o = [i for i in range(5) if (j := i)]


def function(p):
    a = [q := x for x in p]
    b = [[r := x for x in p] for _ in p]
    def inner(): return q, r
    c = lambda: [s := x for x in p]
    global t
    d = [t := x for x in p]
    def nonlocal_():
        nonlocal q
        return [q := x for x in p]
    return (x for x in (y for y in p)), inner, [p for p in p]


class C:
    items = [1]
    doubled = [x * 2 for x in items]
    nested = [[y for y in items] for x in items]
    lambdas = [lambda: x for x in items]
    first = (x for x in items)
    def method(self): return [self for _ in items]
    def with_class(self): return [__class__ for _ in self]


async def asynchronous(p):
    a = [x async for x in p]
    b = [await x for x in p]
    c = (x async for x in p)
    return [y for y in [x async for x in p]], a, b, c
