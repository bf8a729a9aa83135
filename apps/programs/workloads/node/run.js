// Buffers of 10 to 500 KB (V8 allocates them outside its heap), JSON, and short-lived objects for V8's own collector.
'use strict';
let state = 9;
const random = (n) => (state = (state * 48271) % 2147483647) % n;
let check = 0;
const recent = new Array(16).fill(Buffer.alloc(0));
for (let i = 0; i < 3000; i++) {
  const buffer = Buffer.alloc(10_000 + random(490_000), i & 255);
  recent[i % recent.length] = buffer;
  const joined = i % 8 === 0 ? Buffer.concat(recent) : buffer;
  check = (check * 31 + joined.length + joined[joined.length >> 1]) % 1000000007;
}
for (let round = 0; round < 12; round++) {
  const rows = [];
  for (let i = 0; i < 20000; i++) {
    rows.push({ id: i, name: 'n' + random(10000), tags: [random(10), random(10)], at: { x: i / 2, y: round } });
  }
  const text = JSON.stringify(rows);
  const back = JSON.parse(text).filter((row) => row.tags[0] > row.tags[1]);
  check = (check * 31 + text.length + back.length) % 1000000007;
}
console.log(check);
