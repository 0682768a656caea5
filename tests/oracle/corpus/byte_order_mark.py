"""Begins with a byte order mark."""
x = "é"; y = x
def f(): return y
