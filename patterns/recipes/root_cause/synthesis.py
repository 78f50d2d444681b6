"""x"""
import math
from .panel import *
from .answers import *
def rank(witnesses):
    S=sorted({s for w in witnesses for s in services(w)})
    out=[]
    for s in S:
        for f in FAULTS:
            t=sum(sorted(testify(w,s,f).nats for w in witnesses))
            out.append((t,s,f))
    out.sort(key=lambda o:(-round(o[0],9),o[1],FAULTS.index(o[2])))
    return out
