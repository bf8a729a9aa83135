% Matrices of 0.1 to 5 MB made and dropped by each arithmetic step; integers keep the sums exact.
rounds = 120;
total = 0;
m = mod ((1:800)' * (1:800) * 7919, 1009);
for i = 1:rounds
  n = 100 + mod (i * 271, 700);
  a = m(1:n, 1:n);
  b = a' + i;
  c = a .* b - 3 * a + b;
  d = [c, a; b, c];
  total = mod (total + sum (d(:)) + max (max (cumsum (c, 2))), 1000000007);
endfor
printf ("%d\n", total);
