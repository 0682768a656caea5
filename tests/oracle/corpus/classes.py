"""Classes: bases, keywords, bodies, private names."""
import abc


class Empty: pass
class Parenthesised(): pass
class Based(Empty): pass
class Many(Empty, abc.ABC, metaclass=abc.ABCMeta, **{}): pass
class Starred(*[Empty], **dict()): pass
class Generic(list[int], dict['str', int]): pass


class Private:
    """Docstring of a class."""
    __slots__ = ('__x',)
    __x = 1
    __y__ = 2
    __: int = 3
    ___ = 4

    def method(self, __parameter, *, __other=__x):
        __local = self.__x + __parameter
        import __module
        import __module.sub
        from __module import __name as __alias
        global __global
        __global = __local
        for __i in __other: pass
        return [__c for __c in __alias if self.__method(__c=__c)]

    class __Inner:
        __z = 1
        def __get(self): return self.__z, __class__

    def __init__(self): super().__init__(); super(Private, self).__init__()
    def zero(self): return lambda: super().zero()
    def comprehension(self): return [super().x for _ in self]
    @staticmethod
    def static(): return __class__
    @classmethod
    def cls(cls): return cls
    @property
    def prop(self): return 1
    @prop.setter
    def prop(self, value): pass


class __Dunder:
    __x = 1
class ___:
    __x = 1
    def f(self): return __x
class Outer:
    x = 1
    class Inner:
        y = x
        def f(self): return x
    z = [x for _ in range(3)]
    w = (lambda: x)
    def g(self): return x


def function():
    x = 1
    class Local(Empty):
        x = x
        y = x
        def f(self): return x
        nonlocal_ = [x for x in range(x)]
    return Local


@abc.abstractmethod
class Decorated(Empty,
                metaclass=abc.ABCMeta):

    attribute: int
    other: 'Decorated' = None
