def whole():
    return 1


def broken(:
    return whole()
