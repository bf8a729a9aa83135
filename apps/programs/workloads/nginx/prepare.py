# One argument, the data folder: 50 files of 10 to 200 KB of text.
import random
import sys

random.seed(18)
words = [f"{random.getrandbits(20):x}" for _ in range(5000)]
for i in range(50):
    with open(f"{sys.argv[1]}/file-{i}", "w") as file:
        for _ in range(random.randrange(120, 2500)):
            file.write(" ".join(random.choices(words, k=13)) + "\n")
