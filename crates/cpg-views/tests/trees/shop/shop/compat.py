import sys

if sys.version_info >= (3, 12):
    class Timer:
        def __init__(self, now):
            self.now = now
else:
    class Timer:
        pass


def timer():
    return Timer(0)
