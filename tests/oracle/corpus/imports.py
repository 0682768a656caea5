"""Imports of every form."""
from __future__ import division, generator_stop
import os
import os.path
import os.path as path, sys as system, json
from os import path
from os import path as p, sep
from os import (
    getcwd,
    listdir as ls,
)
from . import pkg
from .pkg import name
from .pkg.sub import *
from .. import above
from ...far.away import thing
from .... import farther
from ..... import x as y
from os import *
if p:
    import conditional
try:
    import fast as module
except ImportError:
    import slow as module
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from only.types import T
__all__ = ['os', 'path'] + ['missing']
__all__ += ('p',)
__all__.append('sep')
__all__.extend(['getcwd'])
__all__.remove('missing')


def local():
    import xml.dom.minidom
    from collections import abc as xyz
    return xml, xyz
