# Dictionaries, lists, tuples and strings: objects of 30 to 500 bytes, which Python packs into arenas that it maps and
# unmaps itself.
import sys

sys.setrecursionlimit(10_000)


def tree(depth, seed):
    return {
        "id": seed,
        "name": f"n{seed}",
        "children": [tree(depth - 1, (seed * 31 + i) % 1_000_003) for i in range(4)] if depth else [],
    }


def weigh(node):
    return node["id"] + len(node["name"]) + sum(weigh(child) for child in node["children"])


words = {}
for i in range(300_000):
    words.setdefault(str(i * 7919 % 50_021), []).append((i, i % 7))
print(
    sum(weigh(tree(7, i)) for i in range(20)) % 1_000_000_007,
    len(words),
    sum(len(v) * v[-1][1] for v in words.values()),
)
