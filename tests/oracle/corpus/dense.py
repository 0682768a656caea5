"""Things close together, and far apart."""
x=[1,2,3];y={'a':x};z=lambda a,b=x:a[0]if b else y['a'][b]
def f(a,b=lambda c,d=(lambda e:e):(c,d)):return[g for g in a if g][b(1)(2)]
class A(f(1)[0].B,metaclass=f):a,b=1,2;c=a;d:int=b
@f
@f(x).y[z]
class B:pass
try:x
except(A,B)as e:y
else:z
finally:x
w=(
1
,
2
)
if(x):y
elif(y):z
else:x
while(x)and(y):break
for(a)in(x):continue
with(x)as(y):pass
print((yield_:=1),*x,**y)
assert(x),(y)
del(x),y
v = not(x)in(y)
u = x if(y)else(z)
t = -x**-y
async def h():return[await(x)async for(x)in(y)if(await(z))]
r = ((((((((((1))))))))))
q = [[[[[[[[[[1]]]]]]]]]]
p = x.a.b.c(1)(2)(3)[4][5].d
