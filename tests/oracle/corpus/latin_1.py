# -*- coding: latin-1 -*-
"""Café."""
x = "éè"; y = x  # ü
def f(é): return é
