def function(*args): return args
