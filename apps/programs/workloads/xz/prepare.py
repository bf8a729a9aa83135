# One argument, the data folder: 4 MB of text-like records.
import random
import sys

random.seed(17)
words = [f"{random.getrandbits(24):x}" for _ in range(5000)]
with open(sys.argv[1] + "/text.txt", "w") as file:
    for _ in range(50_000):
        file.write(" ".join(random.choices(words, k=12)) + "\n")
