# Vectors of 0.8 to 5 MB, made by each arithmetic step and collected by R's garbage collector, which frees them one by one.
rounds <- 30
state <- 6
total <- 0
v <- (seq_len(600000) * 7919) %% 100003
for (i in seq_len(rounds)) {
  n <- 100000 + (i * 48271) %% 500000
  x <- v[seq_len(n)]
  y <- x * 2 + i
  z <- ifelse(y > 100000, y - x, x)
  total <- (total + sum(z %% 1009) + sum(rev(y)[1:100])) %% 1000000007
}
s <- sort(v * 3 + 1)
cat(format(total, scientific = FALSE), s[c(1, 300000, 600000)], "\n")
