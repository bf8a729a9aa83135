package upa.bench.paging;

/**
 * One run of one way.
 *
 * @param way           its name
 * @param pattern       how pages are touched
 * @param threads       how many touch them
 * @param round         number of the round
 * @param memoryBytes   how much the program has
 * @param boundBytes    how much of it may be resident
 * @param touches       how many; of pagerank: iterations
 * @param nsPerTouch    time of one
 * @param fillNsPerPage time until a page was written first, others leaving
 */
record PagingRow(
        String way,
        String pattern,
        int threads,
        int round,
        long memoryBytes,
        long boundBytes,
        long touches,
        double nsPerTouch,
        double fillNsPerPage) {}
