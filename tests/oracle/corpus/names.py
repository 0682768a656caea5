# Identifiers that are not ASCII, soft keywords, keywords as attributes.
é = ñ = ö = 1
变量 = é + ñ
def функция(параметр): return параметр, 变量
class Ünïcödé: атрибут = ö
ﬁ = 1
print(ﬁ, é.ö, 'ä', ö)
match = case = type = _ = __ = ___ = 1
type.match.case = match
def match(case, type): return case(match, type)
print(type=1, match=2)
x = type (1)
