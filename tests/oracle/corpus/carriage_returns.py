"""Lines end as on Windows."""
x = """a
b"""; y = 1
if x:
    def f():
        return (x,
                y)
