from .. import name
from ..module import use
