"""Every compound statement."""
import os
a = b = c = []
if a: pass
if a: pass
else: pass
if a:
    pass
elif b:
    pass
if a:
    x = 1
elif b:
    x = 2
elif c: x = 3
else:
    if a: x = 4
    elif b: x = 5
while a: break
while a:
    continue
else:
    pass
for x in a: pass
for x, y in a, b:
    pass
else:
    pass
for x in *a, *b: pass
for (x) in (a): pass
with a: pass
with a as x: pass
with a, b as y: pass
with (a): pass
with (a) as x: pass
with (a, b): pass
with (a, b) as x: pass
with (a as x, b as y): pass
with (a as x, b as y,): pass
with (open(a)) as (x, y), b() as c[0]: pass
try: pass
finally: pass
try:
    pass
except: pass
try:
    pass
except ValueError:
    pass
except (TypeError, KeyError) as error:
    del error
except os.error as error:
    raise
else:
    pass
finally:
    pass
try: pass
except* ValueError as group: raise group
except* (TypeError, KeyError): pass
raise ValueError
raise ValueError('x') from None
assert a
assert a, 'message'
assert (a, 'always true')
pass; pass; pass
pass;
if a: pass; pass;
def f():
    if a:
        return
    else:
        return 1
    return 1, 2
    return *a, 3
def g():
    with a: x = 1;
    for x in a:
        while b:
            try:
                pass
            finally:
                f();
