package upa.pager.live;

import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.function.BiFunction;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.posix.FileFailure;
import upa.policy.PolicyException;
import upa.policy.PolicyStatistics;

/** What a pager answers to commands of {@code upa policy}. Safe for use by several threads. */
final class PagerAnswers {
    private static final int PAGE_SHIFT = 12;
    private static final int SAMPLE_MILLIS = 100;

    private final Pager pager;

    PagerAnswers(Pager pager) {
        this.pager = pager;
    }

    /** Whoever connects may say anything. */
    String answer(String command) {
        try {
            return answerChecked(command);
        } catch (NumberFormatException | IndexOutOfBoundsException | InvalidPathException e) {
            return "1\nnot a command of upa policy: " + e.getMessage();
        }
    }

    /** An answer begins with the exit status of the command. */
    private String answerChecked(String command) {
        String[] words = command.split(" ", 3);
        switch (words[0]) {
            case "status" -> {
                StringBuilder text = new StringBuilder("0\n");
                pager.sessions()
                        .filter(s -> words.length == 1 || words[1].equals(Integer.toString(s.pid())))
                        .forEach(s -> text.append(PagerReport.status(s)));
                pager.regions().stream()
                        .filter(r -> words.length == 1 || words[1].equals(Integer.toString(r.pid())))
                        .forEach(r -> text.append(RegionAnswers.status(r)));
                return text.toString();
            }
            case "programs" -> {
                return "0\n"
                        + String.join(
                                "", pager.sessions().map(PagerReport::program).toList());
            }
            case "stats" -> {
                return ofProcess(words, (s, rest) -> "0\n" + PagerReport.statistics(s));
            }
            case "figures" -> {
                return ofProcess(words, (s, rest) -> "0\n" + PagerReport.figures(s));
            }
            case "set" -> {
                return ofProcess(words, PagerAnswers::set);
            }
            case "move" -> {
                return ofProcess(words, PagerAnswers::move);
            }
            case "record" -> {
                return ofProcess(words, this::record);
            }
            case "limit" -> {
                return ofProcess(words, PagerAnswers::limit);
            }
            default -> {
                return "1\nunknown command";
            }
        }
    }

    /** The second word is a process, what follows is for the command. */
    private String ofProcess(String[] words, BiFunction<Session, String, String> command) {
        String pid = words.length > 1 ? words[1] : "";
        String rest = words.length > 2 ? words[2] : "";
        Optional<Session> session = pager.sessions()
                .filter(s -> pid.equals(Integer.toString(s.pid())))
                .findFirst();
        if (session.isPresent()) {
            return command.apply(session.get(), rest);
        }
        List<RegionRun> regions = pager.regions().stream()
                .filter(r -> pid.equals(Integer.toString(r.pid())))
                .toList();
        return regions.isEmpty() ? "1\nno such process" : RegionAnswers.answer(regions, words[0], rest);
    }

    private static String set(Session session, String text) {
        try {
            session.replace(PolicySpec.parse(text));
            return "0\n";
        } catch (PolicyException e) {
            return "1\n" + e.getMessage();
        }
    }

    private static String move(Session session, String stored) {
        String[] names = stored.split(" ", 2);
        try {
            return "0\n"
                    + session.move(names[0], names.length > 1 ? names[1] : "").join() + "\n";
        } catch (PagerException e) {
            return "1\n" + e.getMessage();
        } catch (CompletionException e) {
            return "1\n" + e.getCause().getMessage();
        }
    }

    /** {@code SECONDS FILE}: takes as long, or until the process ends. */
    private String record(Session session, String text) {
        String[] words = text.split(" ", 2);
        PolicyThread policies = session.process.policies();
        if (policies == null) {
            return "1\npid=" + session.pid() + " is far below its bound: there is nothing to record yet";
        }
        Path file = Path.of(words[1]);
        try (Recorder recorder = new Recorder(file, "pid=" + session.pid() + " name=" + session.name())) {
            if (!policies.observe(recorder)) {
                return "1\npid=" + session.pid() + " is being recorded already";
            }
            long end = System.nanoTime() + Integer.parseInt(words[0]) * 1_000_000_000L;
            while (System.nanoTime() - end < 0
                    && recorder.failure().isEmpty()
                    && pager.sessions().anyMatch(s -> s == session)) {
                PolicyStatistics now = policies.statistics();
                recorder.sample(
                        session.process.states.resident(),
                        session.process.states.outside(),
                        session.process.mechanism.boundPages(),
                        now.faults(),
                        now.evictions());
                Thread.sleep(SAMPLE_MILLIS);
            }
            policies.stopObserving();
            return recorder.failure().isEmpty()
                    ? "0\nrecorded events=" + recorder.events() + " in file=" + file + "\n"
                    : "1\ncannot write file=" + file + ": " + recorder.failure();
        } catch (IOException e) {
            return "1\ncannot write file=" + file + ": " + FileFailure.reason(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "1\nthe pager ends";
        }
    }

    /** {@code memory=BYTES} and {@code rate=BYTES}, that of moves between its stores. All of it, or nothing. */
    private static String limit(Session session, String text) {
        long memory = -1;
        long rate = -1;
        for (String part : text.split(" ")) {
            long bytes = Long.parseLong(part.substring(part.indexOf('=') + 1));
            if (part.startsWith("memory=")) {
                memory = bytes;
            } else {
                rate = bytes;
            }
        }
        StoreChain stores = session.process.stores();
        if (rate >= 0 && stores == null) {
            return "1\npid=" + session.pid() + " is far below its bound, and has nothing in stores yet";
        }
        if (rate >= 0) {
            stores.rate().set(rate);
        }
        if (memory >= 0) {
            session.process.mechanism.limit((int) Math.min(memory >> PAGE_SHIFT, Integer.MAX_VALUE));
        }
        return "0\n";
    }
}
