# One argument, the data folder: 400 000 lines of words, few of them frequent, as in text.
import random
import sys

random.seed(4)
with open(sys.argv[1] + "/words.txt", "w") as file:
    for _ in range(400_000):
        file.write(" ".join(f"w{int(random.paretovariate(0.35)) % 700_001:x}" for _ in range(4)) + "\n")
