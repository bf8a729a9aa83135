import java.io.IOException;

/** Fills 128 MiB of its own heap, has it moved while it waits for a line, and looks at all of it. */
public final class OwnHeap {
    private static final int BLOCKS = 128;
    private static final int WORDS = 1 << 17;

    private OwnHeap() {}

    public static void main(String[] arguments) throws IOException {
        long[][] blocks = new long[BLOCKS][];
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = new long[WORDS];
            for (int k = 0; k < WORDS; k++) {
                blocks[i][k] = (long) i << 32 | k;
            }
        }
        System.out.println("filled");
        while (System.in.available() == 0) {
            for (int i = 0; i < BLOCKS; i += 7) {
                blocks[i] = blocks[i].clone();
            }
        }
        long wrong = 0;
        for (int i = 0; i < BLOCKS; i++) {
            for (int k = 0; k < WORDS; k++) {
                wrong += blocks[i][k] == ((long) i << 32 | k) ? 0 : 1;
            }
        }
        System.out.println("wrong " + wrong);
    }
}
