# One argument, the data folder: 60 MB of text-like records, with repetitions that lie up to 50 MB apart.
import random
import sys

random.seed(16)
words = [f"{random.getrandbits(24):x}" for _ in range(5000)]
blocks = []
with open(sys.argv[1] + "/records.txt", "w") as file:
    for i in range(600):
        if blocks and random.random() < 0.3:
            block = random.choice(blocks)
        else:
            block = "\n".join(" ".join(random.choices(words, k=12)) for _ in range(1100)) + "\n"
            blocks.append(block)
        file.write(block)
