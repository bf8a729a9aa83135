package upa.policy;

/**
 * What a program says about its pages.
 *
 * @param kind     what it says
 * @param first    number of the first page
 * @param pages    how many, at least 1
 * @param priority of {@link Kind#PRIORITY}: 0 to 7, where 3 is usual and pages of lower ones leave first
 */
public record Hint(Kind kind, int first, int pages, int priority) {

    /** What can be said. */
    public enum Kind {
        /** They will be used soon. */
        WILL_NEED,
        /** They will not be used soon. */
        WONT_NEED,
        /** They are used in rising order. */
        SEQUENTIAL,
        /** They are used in no order. */
        RANDOM,
        /** Nothing: takes back SEQUENTIAL and RANDOM. */
        NORMAL,
        /** How important they are. */
        PRIORITY
    }

    /** {@return number of the page behind the last} */
    public int end() {
        return first + pages;
    }
}
