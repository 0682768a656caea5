"""Every kind of expression."""
a = b = c = d = x = y = z = 1
arithmetic = a + b - c * d / a // b % c ** -d
matrix = a @ b
bits = ~a & b | c ^ d << 1 >> 2
logic = not a and b or c and not d
unary = +a, -a, ~a, not a
compare = a < b <= c > d >= a == b != c
member = a in b, a not in b, a is b, a is not b
condition = a if b else c if d else x
nested = ((a)), (((b)))
call = f(), f(a), f(a, b), f(*a), f(**b), f(a, *b, c, d=1, *x, **y, z=2)
lone = f(x for x in y), f((x for x in y)), f((x) for x in y), f( x for x in y )
lone = f(x for x in (y)), f(
    # before
    x for x in y  # after
)
attribute = a.b.c.d().e[0].f
subscript = a[0], a[1:2], a[1:2:3], a[:], a[::], a[:, ...], a[1, 2], a[(1, 2)], a[*b], a[*b, 1:2]
display = (), (a,), (a, b), [], [a], [a, b], {a}, {a, b}, {}, {a: b}, {a: b, **c, 'k': d}
star = [*a, *b], (*a, *b), {*a, *b}, {**a, **b}
walrus = (n := 10), [m := 1, m ** 2]
f(n := 1)
a[n := 0]
numbers = 1, 1_000, 0xFF, 0o17, 0b11, 1.5, 1e10, .5, 5., 1j, 1.5J
constants = True, False, None, ..., Ellipsis, __debug__
long = (a
        + b
        - c)
continued = a + \
    b
lambda_ = lambda: 0, lambda x: x, lambda x, y=1, *args, z, w=2, **kw: x, lambda *, a: a, lambda x, /, y: y
lambda_ = lambda x=lambda: 1: (lambda y: x + y)
await_ = [await_ for await_ in a]
a . b . c
a  [ 0 ]
f  ( a )
print(*a, sep='', end='')
