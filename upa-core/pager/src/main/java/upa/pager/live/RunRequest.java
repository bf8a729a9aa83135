package upa.pager.live;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import upa.pager.host.Options;
import upa.pager.host.PolicySpec;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.policy.Place;
import upa.policy.PolicyException;

/**
 * What {@code upa run --policy} asks of the pager: a message of fields that each end with a zero byte ({@code run},
 * process, policy, memory, stores, folder, places). With it come three descriptors: standard error of the run, the
 * process, and the socket at which its processes connect, which listens and does not block.
 *
 * @param pid        process of the run
 * @param policy     of each of its processes, until another is set
 * @param boundBytes memory of each of its processes
 * @param stores     where pages go
 * @param places     those of the stores, as a pager before this one has said; null: none has
 */
record RunRequest(int pid, PolicySpec policy, long boundBytes, StoreSpec stores, List<Place> places) {
    /** With this it begins. */
    static final String FIRST = "run\0";

    private static final int FIELDS = 7;
    private static final long MOST_BOUND = 1L << 40;

    /** Why there is no pager for a run. */
    static final class RefusedException extends Exception {
        private static final long serialVersionUID = 1;
        private final int status;

        RefusedException(int status, String line) {
            super(line);
            this.status = status;
        }

        /** What the user has said cannot be. */
        static RefusedException usage(String line) {
            return new RefusedException(2, "policy: " + line + ": see ./upa policy --help");
        }

        /** With which it ends. */
        int status() {
            return status;
        }
    }

    static RunRequest parse(String text) throws RefusedException {
        String[] fields = text.split("\0", -1);
        if (fields.length != FIELDS + 1 || !fields[1].matches("[1-9][0-9]{0,8}")) {
            throw new RefusedException(1, "a request that makes no sense: fields=" + (fields.length - 1));
        }
        long bytes = Options.parseBytes(fields[3]);
        if (bytes < Pager.LEAST_BOUND || bytes > MOST_BOUND) {
            throw RefusedException.usage("option --memory needs a size from 4M to 1T as 512M, got value=" + fields[3]);
        }
        try {
            Path folder = Path.of(fields[5]);
            return new RunRequest(
                    Integer.parseInt(fields[1]),
                    PolicySpec.parse(fields[2]).in(folder),
                    bytes,
                    StoreSpec.parse(fields[4].isEmpty() ? StoreSpec.DEFAULT : inFolder(fields[4], folder)),
                    places(fields[6]));
        } catch (PolicyException | StoreException e) {
            throw RefusedException.usage(e.getMessage());
        } catch (InvalidPathException e) {
            throw RefusedException.usage("no file can be named so: name=" + e.getInput());
        }
    }

    /** Names of files and folders are the run's, which may be anywhere; the pager is elsewhere. */
    static String inFolder(String stores, Path folder) {
        String prefix = Matcher.quoteReplacement(folder + "/");
        List<String> all = new ArrayList<>();
        for (String store : stores.split(",", -1)) {
            all.add(
                    store.contains("://")
                            ? store.replaceAll("([?&](?:password-file|key-file|ca)=)(?=[^/&])", "$1" + prefix)
                            : store.replaceFirst("^(\\s*(?:[^+]*\\+)?file:)(?=[^/:])", "$1" + prefix));
        }
        return String.join(",", all);
    }

    /** Places as text, for the next pager: it need not open stores to know what they are. */
    static String text(List<Place> places) {
        return String.join(
                ",", places.stream().map(p -> p.kind() + " " + p.name()).toList());
    }

    private static List<Place> places(String text) throws RefusedException {
        if (text.isEmpty()) {
            return null;
        }
        List<Place> places = new ArrayList<>();
        for (String place : text.split(",", -1)) {
            String[] words = place.split(" ", 2);
            try {
                places.add(new Place(places.size(), words[1], Place.Kind.valueOf(words[0])));
            } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
                throw new RefusedException(1, "a request that makes no sense: place=" + place);
            }
        }
        return List.copyOf(places);
    }
}
