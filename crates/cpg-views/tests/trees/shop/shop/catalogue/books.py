from typing import overload

from .base import Item
from ..pricing import total


class Book(Item):
    class Page:
        def __init__(self, number):
            self.number = number

    @overload
    def read(self, page: int) -> str: ...
    @overload
    def read(self, page: None) -> None: ...
    def read(self, page=None):
        return Book.Page(page)


def bundle(books):
    def by_name(book):
        return book.name

    ordered = sorted(books, key=by_name)
    by_name(ordered[0])
    return total(ordered, *[1], start=2, **{})
