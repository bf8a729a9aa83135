# Vector arithmetic on arrays of 16 MB, large enough that every allocator treats them one by one. Integers keep the sums exact.
import numpy

ROUNDS = 20
rng = numpy.random.default_rng(2)
a, b, c = (rng.integers(-1000, 1000, 2_000_000).astype(numpy.float64) for _ in range(3))
total = 0.0
for i in range(ROUNDS):
    d = (a + b) * c - (a - c) * b + i
    total += float(d[i]) + float(numpy.where(d > 0, d, -d).max())
print(total)
