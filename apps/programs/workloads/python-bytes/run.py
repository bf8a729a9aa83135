# Byte buffers of up to 0.9 MB as a program makes them that reads messages or files: allocated, filled, sliced, dropped.
import zlib

ROUNDS = 5000
check = 0
kept = [b""] * 8
for i in range(ROUNDS):
    block = bytearray(300_000 + i * 7919 % 600_000)
    block[0:8] = i.to_bytes(8, "little")
    data = bytes(block)
    kept[i % 8] = data[: len(data) // 2]
    check = zlib.crc32(data[:64] + kept[(i * 5) % 8][:64], check)
print(check, sum(map(len, kept)))
