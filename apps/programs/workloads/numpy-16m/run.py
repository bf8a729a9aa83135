# Vector arithmetic on arrays of 16 MB in a function, whose five arrays are all freed when it returns. Integers keep the
# sums exact.
import numpy

ROUNDS = 20


def step(a, b, c, i):
    product = (a + b) * c
    difference = product - (a - c) * b + i
    positive = numpy.where(difference > 0, difference, -difference)
    return float(difference[i]) + float(positive.max())


rng = numpy.random.default_rng(2)
a, b, c = (rng.integers(-1000, 1000, 2_000_000).astype(numpy.float64) for _ in range(3))
print(sum(step(a, b, c, i) for i in range(ROUNDS)))
