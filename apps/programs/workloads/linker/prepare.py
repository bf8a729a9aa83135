# One argument, the data folder: 80 object files with 1 500 sections, symbols and relocations each and strings to merge,
# for one link.
import os
import random
import subprocess
import sys

UNITS, FUNCTIONS = 80, 1500
random.seed(14)
folder = sys.argv[1]
with open(folder + "/objects.txt", "w") as objects:
    for unit in range(UNITS):
        lines = []
        for i in range(FUNCTIONS):
            lines.append(
                f'.section .data.entry_{unit}_{i},"aw"\n.globl entry_{unit}_{i}\n'
                f"entry_{unit}_{i}:\n.quad name_{unit}_{i}"
            )
            lines += [f".quad entry_{random.randrange(UNITS)}_{random.randrange(FUNCTIONS)}" for _ in range(3)]
            lines.append(
                '.section .rodata.str,"aMS",%progbits,1\n'
                f'name_{unit}_{i}: .string "entry number {random.randrange(50_000)}"'
            )
        path = f"{folder}/unit{unit}"
        subprocess.run(["as", "-o", path + ".o", "-"], input="\n".join(lines).encode() + b"\n", check=True)
        objects.write(f'"{path}.o"\n')
