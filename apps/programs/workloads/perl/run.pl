# A log analysis: records split into hashes of arrays, report lines appended to strings that grow to megabytes.
use strict;
use warnings;

my (%by_user, %size, $report);
my $state = 7;
for my $i (1 .. 300_000) {
  $state = ($state * 1103515245 + 12345) % 2147483648;
  my $line = sprintf "user%d GET /page/%d %d %s", $state % 5003, $i % 997, $state % 40_000, "x" x ($state % 50);
  my ($user, undef, $path, $bytes, $agent) = split / /, $line;
  push @{ $by_user{$user} }, "$path$agent";
  $size{$user}{$path} += $bytes;
  $report .= "$user $bytes\n";
}
my $sum = 0;
for my $user (sort keys %by_user) {
  my $joined = join ",", sort @{ $by_user{$user} };
  $sum = ($sum * 31 + length($joined) + keys %{ $size{$user} }) % 1_000_000_007;
}
my $copies = 0;
for my $i (1 .. 25) {
  my $copy = $report;
  $copies += ($copy =~ tr/0-4//) + length $copy;
}
print "$sum $copies ", length $report, "\n";
