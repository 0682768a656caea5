import shop
import shop.catalogue.books
from shop import Book, missing, open_shop as start
from shop.catalogue import printed
from shop.pricing import *
from . import nowhere

from ... import too_far


class Library(Book, nowhere.Base, object):
    pass


class Odd(start()):
    pass


def load(callback, registry={}):
    opened = start("plugin")
    opened.add(Book("a"))
    shop.Book.called("b")
    shop.catalogue.books.bundle([])
    printed.Book.Page(1)
    Library("c")
    Library.price(1)
    shop.pricing.total_of("x")
    shop.Shop.gone()
    total([])
    separator()
    reassigned()
    missing()
    callback()
    registry["k"]()
    (lambda: 1)()
    load(callback)()
    nonsense()
    too_far()
    len([x for x in registry])

    def again():
        return callback

    return again
