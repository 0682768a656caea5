"""Every way to assign, annotate and delete."""
a = 1
a = b = c = 2
(d, e), [f, *g] = (1, 2), [3, 4, 5]
h, = (1,)
i: int
j: int = 3
(k): int
(l): int = 4
d.x: int = 5
e[0]: str
a += 1; a -= 1; a *= 2; a /= 2; a //= 2; a %= 3; a **= 2; a >>= 1; a <<= 1; a &= 7; a |= 8; a ^= 9; a @= b
d.x += 1
e[0] -= 1
del a, b
del (c, d), [e]
del f.x, g[0], g[1:2]
x = y = yield_ = None
x = (
    # a comment
    1
)
x = *a, *b
[x] = y
() = []
for x.attr in y: pass
for x[0] in y: pass
