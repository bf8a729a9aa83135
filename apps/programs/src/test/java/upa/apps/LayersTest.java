package upa.apps;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Imports run downwards only. This module is the topmost, and so sees all classes of the project. */
class LayersTest {

    /**
     * Lowest first; of packages in one row none may use another. A name with ".." stands for the packages below, too.
     */
    private static final List<Set<String>> LAYERS = List.of(
            // The library, whose own tests order the packages in it.
            Set.of("upa.core..", "upa.internal..", "upa.llfree..", "upa.policy"),
            Set.of("upa.pager.host", "upa.pager.posix", "upa.pager.scale"),
            Set.of("upa.pager.policies", "upa.pager.simulate", "upa.pager.store"),
            Set.of("upa.pager.device", "upa.pager.place"),
            Set.of("upa.pager.live"),
            Set.of("upa.measure.stats", "upa.measure.allocator"),
            Set.of("upa.measure.report"),
            Set.of("upa.measure"),
            Set.of("upa.bench.driver", "upa.bench.jmh..", "upa.bench.paging"),
            Set.of("upa.bench.results"),
            Set.of("upa.bench.report"),
            Set.of("upa.bench"),
            Set.of("upa.counts.data"),
            Set.of("upa.counts.report"),
            Set.of("upa.counts"),
            Set.of("upa.tools.pager", "upa.tools.policy", "upa.tools.top", "upa.tools.trace"),
            Set.of("upa.tools.reclaim"),
            Set.of("upa.apps.workload"),
            Set.of("upa.apps.results"),
            Set.of("upa.apps.run"),
            Set.of("upa.apps.profile"),
            Set.of("upa.apps.report"),
            Set.of("upa.apps"));

    private final JavaClasses classes = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("upa");

    @Test
    void importsRunDownwardsOnly() {
        Set<String> wrong = new TreeSet<>();
        for (JavaClass origin : classes) {
            for (Dependency dependency : origin.getDirectDependenciesFromSelf()) {
                JavaClass target = dependency.getTargetClass().getBaseComponentType();
                if (target.getPackageName().startsWith("upa.") && !isBelowOrBeside(origin, target)) {
                    wrong.add(origin.getPackageName() + " -> " + target.getPackageName() + ": " + dependency);
                }
            }
        }
        assertEquals(Set.of(), wrong);
    }

    @Test
    void everyPackageHasItsPlace() {
        Set<String> homeless = new TreeSet<>();
        classes.stream().filter(c -> layer(c.getPackageName()) < 0).forEach(c -> homeless.add(c.getPackageName()));
        assertEquals(Set.of(), homeless, "put them into LAYERS");
        assertTrue(classes.contain("upa.core.Region") && classes.contain("upa.apps.Main"), "not all classes were seen");
    }

    private static boolean isBelowOrBeside(JavaClass origin, JavaClass target) {
        int from = layer(origin.getPackageName());
        int to = layer(target.getPackageName());
        return to < from || to == from && entry(from, origin).equals(entry(to, target));
    }

    /** The index in LAYERS; -1 if it stands nowhere. */
    private static int layer(String name) {
        for (int i = 0; i < LAYERS.size(); i++) {
            if (LAYERS.get(i).stream().anyMatch(entry -> matches(entry, name))) {
                return i;
            }
        }
        return -1;
    }

    /** Which of a row's names a package goes by; the library's all by one. */
    private static String entry(int layer, JavaClass of) {
        return layer <= 0
                ? ""
                : LAYERS.get(layer).stream()
                        .filter(entry -> matches(entry, of.getPackageName()))
                        .findFirst()
                        .orElseThrow();
    }

    private static boolean matches(String entry, String name) {
        return entry.endsWith("..")
                ? (name + ".").startsWith(entry.substring(0, entry.length() - 1))
                : name.equals(entry);
    }
}
