from . import name
from .sub import deep
from .sub.deep import function
from ..names import x
def use(): return function(deep, name, x)
