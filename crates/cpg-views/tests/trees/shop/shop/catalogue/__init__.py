from .base import Item
from .books import Book
from . import books as printed
