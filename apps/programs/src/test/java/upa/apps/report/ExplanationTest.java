package upa.apps.report;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import upa.apps.Fakes;
import upa.apps.profile.PageProfile;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;

class ExplanationTest {

    private final Workload a = Fakes.workload("a", true);
    private final Workload b = Fakes.workload("b", false);
    private final List<Run> runs = new ArrayList<>();

    @Test
    void theExplanationSaysWhatWasMeasured() {
        for (int round = 0; round < 3; round++) {
            runs.add(Fakes.run("a", "glibc", round, 4, 100_000, 100));
            runs.add(Fakes.run("a", "upa", round, 2 + round / 50.0, 5_000, 105));
            runs.add(Fakes.run("b", "glibc", round, 1 + round / 10.0, 2_000, 100));
            runs.add(Fakes.run("b", "upa", round, 1.2 - round / 10.0, 2_000, 100));
        }
        PageProfile pages = new PageProfile(1234, 3L << 30, 3L << 29, 0, 1 << 20, 2_000_000);
        String gains = Explanation.of(
                        new Results(List.of(a, b), runs), a, Optional.of(pages), Optional.empty(), Optional.empty())
                .orElseThrow();
        assertTrue(
                gains.startsWith("It asks for pages 1234 times, 3 GiB in all at a peak of 100 MiB, most mapped bytes in"
                        + " blocks of"
                        + " 1 MiB to 2 MiB that live 2 ms, and had freed 50 % of it before; under glibc"
                        + " that costs 100000 page faults"),
                gains);
        assertTrue(gains.contains("33.3 % of its CPU time is the kernel's"), gains);
        assertTrue(gains.endsWith("page faults are 5 % of that, and it is 1.98x (1.96-2) as fast."), gains);
        String noise = Explanation.of(
                        new Results(List.of(a, b), runs), b, Optional.empty(), Optional.empty(), Optional.empty())
                .orElseThrow();
        assertTrue(noise.contains("the difference is within the noise"), noise);
        List<Run> first = runs.stream().filter(r -> r.round() == 0).toList();
        String once = Explanation.of(
                        new Results(List.of(a), first), a, Optional.empty(), Optional.empty(), Optional.empty())
                .orElseThrow();
        assertTrue(once.endsWith("in the only round it was 2x as fast, of which the noise is unknown."), once);
    }
}
