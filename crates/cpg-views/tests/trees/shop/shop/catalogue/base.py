import abc
from dataclasses import dataclass, field


class Priced(abc.ABC):
    @abc.abstractmethod
    def price(self): ...


class Named:
    def __init__(self, name):
        self.name = name

    @classmethod
    def called(cls, name):
        return cls(name)


class Item(Named, Priced):
    def price(self):
        return 0


@dataclass
class Tag:
    text: str = field(default="")
