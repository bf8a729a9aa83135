# One argument, the data folder: a C file of 100 functions with loops, branches, structures and calls, as large
# generated code has.
import random
import sys

random.seed(12)
with open(sys.argv[1] + "/large.c", "w") as file:
    file.write("struct item { int key, weight; struct item *next; };\nextern int look(struct item *, int);\n")
    for i in range(100):
        a, b, c = (random.randrange(1, 1000) for _ in range(3))
        cases = "".join(
            f"    case {k}: s += p->weight * {random.randrange(99)} + a[{random.randrange(64)}]; break;\n"
            for k in range(random.randrange(3, 9))
        )
        file.write(
            f"int f{i}(struct item *p, int *a, int n) {{\n  int s = {a};\n"
            f"  for (int i = 0; i < n; i++) {{\n    a[i & 63] = (a[(i + {b}) & 63] ^ s) + i * {c};\n"
            f"    switch ((s ^ i) & 15) {{\n{cases}    default: s ^= a[i & 63] >> 3;\n    }}\n"
            f"    if (p && p->key > s % {b + 1}) s += look(p = p->next, s & {c});\n  }}\n"
            f"  return s % {a + 1}{f' + f{random.randrange(i)}(p, a, n / 2)' if i else ''};\n}}\n"
        )
