# Literals of text and bytes, and what is inside of f-strings.
"not a docstring of the module? it is" ' implicitly ' """joined"""
name = width = value = 1
plain = 'a', "b", '''c''', """d
e""", r'\d', R"\d", u'x', U"x"
raw = b'a', B"b", rb'\c', bR'\d', Br"e", b'joined' b"bytes"
escapes = '\n\t\x41\u00e9\U0001F600\N{BULLET}\
continued'
formatted = f'', f'a', f'{name}', f'a{name}b{value!r:>{width}}c', f"{name=}", f'{{}}', rf'\{name}', fR"{name}"
formatted = f'{lambda_}', f'{(lambda x: x)(1)}', f'{[x for x in name]}', f"{name['key']}"
mixed = 'a' f'{name}' "b" f"{value}" 'c'
multi = f'''
{name}
    {value:
    {width}}
'''
nested = f'{f"{name}"}'
f"{name} {name.attribute.method(value)[0]:{width}.{value}}"
join = ("one "
        "two "  # between
        f"three {name}")
'é' 'ü' "日本語"
