"""Every kind of pattern."""
import ast


def match_all(subject, Point=ast.AST):
    match subject:
        case 1: pass
        case -1 | -1.5 | 1 + 2j | -1 - 2j: pass
        case 'a' 'b' | b'c': pass
        case None | True | False: pass
        case ast.AST | ast.expr.x: pass
        case []: pass
        case [a]: pass
        case [a, *rest]: pass
        case (a, b, *_): pass
        case (a): pass
        case a, b: pass
        case a,: pass
        case *a, b: pass
        case {}: pass
        case {'k': v}: pass
        case {'k': 1, -1: x, ast.AST: y, **others}: pass
        case Point(): pass
        case Point(1, x): pass
        case Point(x=0, y=yy): pass
        case ast.Name(id=name, ctx=ast.Load()): pass
        case Point(x, y=[a, b] as c,): pass
        case [Point(x=0) as p, ((q))]: pass
        case (1 | 2) as number if number > 1: pass
        case [1, [2, [3, _]]]: pass
        case str(text) | bytes(text): pass
        case _ if subject: pass
        case _: pass
    match subject, 1:
        case x, y: return x, y
    match (subject):
        case _:
            def inner(): return a, rest, others, name, p, q, number, text
            return inner
    match subject: 
        case [x, y] if (z := x): return [z for z in y];
    match *subject, 1:
        case _: pass


match = case = type = _ = 1
match[case], match.case, match(case), match * case
print(match)
