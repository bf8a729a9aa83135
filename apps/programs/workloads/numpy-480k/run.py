# Vector arithmetic on arrays of 480 KB: each operator makes a temporary and drops it, the usual way to write numpy
# code. Malloc's threshold for giving memory back lies below 480 KB, so the default allocator asks the kernel for each.
# Integers keep the sums exact.
import numpy

ROUNDS = 2500
rng = numpy.random.default_rng(1)
a, b, c = (rng.integers(-1000, 1000, 60_000).astype(numpy.float64) for _ in range(3))
total = 0.0
for i in range(ROUNDS):
    d = (a + b) * c - (a - c) * b + i
    total += float(d[i % len(d)]) + float((d + a).max())
print(total)
