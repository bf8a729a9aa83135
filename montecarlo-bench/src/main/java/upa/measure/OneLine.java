package upa.measure;

/** Text that somebody else chose, within a line of ours: a name may hold line breaks, and what a terminal obeys. */
public final class OneLine {

    private OneLine() {}

    /**
     * The text as one line.
     *
     * @param text any
     * @return the same with each control character (U+0000 to U+001F, U+007F to U+009F) as \n, \r, \t or \xNN
     */
    public static String of(String text) {
        if (text.chars().noneMatch(Character::isISOControl)) {
            return text;
        }
        StringBuilder line = new StringBuilder();
        text.chars().forEach(c -> {
            switch (c) {
                case '\n' -> line.append("\\n");
                case '\r' -> line.append("\\r");
                case '\t' -> line.append("\\t");
                default -> {
                    if (Character.isISOControl(c)) {
                        line.append(String.format("\\x%02x", c));
                    } else {
                        line.append((char) c);
                    }
                }
            }
        });
        return line.toString();
    }
}
