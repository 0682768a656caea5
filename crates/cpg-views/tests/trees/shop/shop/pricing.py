import decimal as d
import os.path
from math import floor

try:
    from fastround import fast as _round
except ImportError:
    def _round(value):
        return floor(value)


def total(items, start=0):
    for item in items:
        start += item.price()
    return _round(d.Decimal(start))


def total_of(path):
    return total(os.path.basename(path))


if os.name == "nt":
    def separator():
        return "\\"
else:
    def separator():
        return "/"


def reassigned():
    return 1


reassigned = staticmethod(reassigned)
