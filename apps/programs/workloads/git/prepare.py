# One argument, the data folder: a repository of 100 commits that edit 150 files of source-like text, one pack, no delta
# kept.
import os
import random
import subprocess
import sys

random.seed(13)
repository = sys.argv[1] + "/repository"
words = [f"{random.choice('abcdefghij')}{random.getrandbits(20):x}" for _ in range(3000)]
files = [
    [" ".join(random.choices(words, k=random.randrange(2, 12))) for _ in range(random.randrange(50, 1500))]
    for _ in range(150)
]
stream = ["reset refs/heads/main\n"]
for commit in range(100):
    stream.append(
        f"commit refs/heads/main\ncommitter a <a@example.org> {1_600_000_000 + commit * 3600} +0000\n"
        "data 4\nstep\n"
    )
    for number in range(150) if commit == 0 else random.sample(range(150), 25):
        lines = files[number]
        for _ in range(random.randrange(1, 30)):
            lines[random.randrange(len(lines))] = " ".join(random.choices(words, k=8))
        text = "\n".join(lines)
        stream.append(f"M 100644 inline source/{number % 12}/file{number}.txt\ndata {len(text)}\n{text}\n")
settings = dict(os.environ, GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull)
subprocess.run(["git", "init", "-q", "--bare", repository], check=True, env=settings)
fast_import = ["git", "-C", repository, "fast-import", "--quiet", "--depth=0"]
subprocess.run(fast_import, input="".join(stream).encode(), check=True, env=settings)
