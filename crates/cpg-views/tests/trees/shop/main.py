from shop.plugins.loader import load
import shop as s

if __name__ == "__main__":
    load(s.open_shop)
    s.total([])
