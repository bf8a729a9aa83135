package upa.tools.policy;

import java.util.Arrays;

/**
 * How memory is divided between programs: weighted max-min fairness (Bertsekas and Gallager, Data Networks, 6.5.2). Who
 * needs less than its share gets what it needs; what is left is the others', by their shares.
 */
final class Shares {
    private Shares() {}

    /**
     * Divides memory.
     *
     * @param total   bytes for all
     * @param least   bytes that each gets, whatever the others need
     * @param needs   bytes that each would use
     * @param weights of each, 1 to 1000
     * @return bytes of each, in all no more than the total. If all have what they need, the rest is divided too: each
     *         has room to grow
     * @throws IllegalArgumentException if the total is less than the least of all
     */
    static long[] divide(long total, long least, long[] needs, int[] weights) {
        long left = total - least * needs.length;
        if (left < 0) {
            throw new IllegalArgumentException("total=" + total + " least=" + least + " programs=" + needs.length);
        }
        long[] bytes = new long[needs.length];
        Arrays.fill(bytes, least);
        boolean[] has = new boolean[needs.length];
        boolean changed = true;
        while (changed) {
            changed = false;
            long open = left;
            long weight = weightOf(has, weights);
            for (int i = 0; i < needs.length; i++) {
                long more = Math.max(0, needs[i] - least);
                if (!has[i] && more <= open * weights[i] / weight) {
                    bytes[i] += more;
                    left -= more;
                    has[i] = true;
                    changed = true;
                }
            }
        }
        boolean all = weightOf(has, weights) == 0;
        if (all) {
            Arrays.fill(has, false);
        }
        long weight = weightOf(has, weights);
        for (int i = 0; i < needs.length; i++) {
            bytes[i] += has[i] ? 0 : left * weights[i] / weight;
        }
        return bytes;
    }

    private static long weightOf(boolean[] has, int[] weights) {
        long weight = 0;
        for (int i = 0; i < has.length; i++) {
            weight += has[i] ? 0 : weights[i];
        }
        return weight;
    }
}
