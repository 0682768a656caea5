"""Every kind of parameter, decorator and body."""
import functools


def plain(): pass
def one(a): return a
def defaults(a, b=1, c=lambda: 0): return a, b, c
def annotated(a: int, b: str = '', *args: bytes, c: float, d: int = 1, **kwargs: object) -> None: ...
def positional_only(a, b=1, /): return a
def keyword_only(*, a, b=1): return b
def all_kinds(a, /, b, *args, c, **kwargs): return a, b, args, c, kwargs
def star_annotation(*args: *Ts): pass
def trailing(a, b,): pass
def spaced ( a , * , b ) : pass
def multi_line(
    a,  # first
    b: 'text' = (1,
                 2),
    *rest,
    **others,
) -> (
    int
):
    """Docstring."""
    return


@functools.wraps(plain)
def decorated(): pass


@plain
@(lambda f: f)
@functools.lru_cache(maxsize=None)
async def twice(): pass


@ plain
def spaced_decorator():
    """Doc"""


def generator():
    x = yield
    y = yield x
    yield from y
    z = yield (x, y)
    return z


async def coroutine(source):
    async with source as a, source() as (b, c):
        pass
    async for item in a:
        await item
    else:
        await b
    x = [i async for i in source if await i]
    y = {i: j async for i, j in source}
    z = (await i for i in source)
    yield x, y, z
    return


def outer():
    def inner():
        def innermost(): return inner
        return innermost
    return inner


def semicolons(): a = 1; b = 2; return a, b;
def nothing():
    ...
    return;
if nothing():
    pass;
