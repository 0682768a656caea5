"""A package."""
from . import sub
from .sub import name as renamed
from .module import *
from .. import outside
name = 1
_private = 2
__all__ = ['name', 'sub']
