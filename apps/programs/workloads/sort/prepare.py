# One argument, the data folder: 1 000 000 lines in random order.
import random
import sys

random.seed(5)
with open(sys.argv[1] + "/lines.txt", "w") as file:
    for i in range(1_000_000):
        file.write(f"{random.getrandbits(64):016x} {i}\n")
