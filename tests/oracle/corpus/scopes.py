"""Global, nonlocal, free, cell."""
x = y = z = 0


def reads(): return x
def writes(): x = 1; return x
def declares():
    global x, new
    x = 1
    new = 2
    def inner(): return x, new
    return inner
def encloses():
    a = b = c = d = 1
    def middle():
        nonlocal a
        a = 2
        b = 3
        def inner():
            nonlocal b
            b = a + c
            global d
            d = 1
            return d
        def other(): return d
        return inner, other, [c for _ in d], [c for c in c]
    return middle, d
def shadows(x, y):
    def inner(y): return x, y
    return inner
def deletes():
    x = 1
    del x
    def inner(): return x
    return inner
def binds():
    import os, os.path as path
    from sys import argv as args, exit
    with open(x) as f, open(y) as (g, h): pass
    for i, (j, *k) in enumerate([]): pass
    try: pass
    except ValueError as error: pass
    except (TypeError, KeyError): pass
    class C: pass
    def nested(): return os, path, args, exit, f, g, h, i, j, k, error, C, nested
    return nested
def parameters(a, b=x, *c, d=y, **e):
    return lambda: (a, b, c, d, e)
def parameter_cell(a):
    def inner(): return a
    return inner
def recursion(): return recursion()
def global_in_class():
    v = 1
    class C:
        global v
        v = 2
        def f(self): return v
    return C
def nonlocal_in_class():
    v = 1
    class C:
        nonlocal v
        v = 2
        def f(self): return v
    return C
def class_between():
    v = 1
    class C:
        def f(self): return v
        class D:
            def g(self): return v
    return C
def only_global():
    global only_declared
def uses_only(): return only_declared
def global_stops():
    v = 1
    def middle():
        global v
        def inner(): return v
        return inner
    return middle, v
def top():
    def inner(): return 1
    lambda_ = 1
    listcomp = [genexpr for genexpr in (genexpr for genexpr in listcomp)]
    return inner
def later():
    def inner(): return defined_later
    defined_later = 1
    return inner
def super_name(super): return super()
def uses_super(): return super
def unreachable():
    return
    v = 1
def annotated_local():
    v: int
    w: x = 1
    def inner(): return v, w
    return inner
