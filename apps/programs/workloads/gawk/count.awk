# Counts words and remembers where each was last seen: two hashes of some 100 000 entries, millions of small strings.
{
  for (i = 1; i <= NF; i++) {
    count[$i]++
    last[$i] = last[$i] % 1000 NR
  }
}
END {
  for (word in count) {
    words++
    total += count[word] * length(word) + last[word] % 997
    if (count[word] > most || (count[word] == most && word < best)) { most = count[word]; best = word }
  }
  print words, total, best, most
}
