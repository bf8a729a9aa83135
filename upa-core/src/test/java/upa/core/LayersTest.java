package upa.core;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Who may know of whom: packages, and within a package one file a layer. References run downwards only. */
class LayersTest {
    private static final JavaClasses UPA = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("upa");

    /** What regions are described with; back ends know it, and it knows nobody. */
    private static final Set<String> VALUES = Set.of(
            "BackEnd",
            "FrameStats",
            "HugePages",
            "PagerTerms",
            "PteOptions",
            "RegionDescriptor",
            "RegionStats",
            "Retention",
            "SystemCallException",
            "Upa");

    /** Each class knows only those before it. */
    private static final List<String> LLFREE = List.of(
            "LlFreeDescriptor",
            "LlFreeStats",
            "Words",
            "Bits",
            "Layout",
            "State",
            "Child",
            "Trees",
            "Tickets",
            "Search",
            "Populated",
            "Fit",
            "Counters",
            "Put",
            "Get",
            "Check",
            "Contents",
            "LlFree");

    private static final List<String> LINEAR = List.of(
            "Layout",
            "RegionFile",
            "LinearMemory",
            "Tables",
            "Clear",
            "Scavenge",
            "Move",
            "GiveBack",
            "MakeLazy",
            "LinearBackEnd");
    private static final List<String> DEVICE = List.of(
            "PageRanges",
            "Marks",
            "Layout",
            "PagedLayout",
            "UpaDevice",
            "FrameWords",
            "GuardedWords",
            "RawWords",
            "Frames",
            "Settle",
            "Scavenge",
            "Supply",
            "Relocate",
            "Clear",
            "Check",
            "DeviceBackEnd",
            "Admission",
            "PagedBackEnd");
    private static final List<String> FACADE = List.of(
            "Arguments",
            "MemoryHints",
            "Lifetime",
            "Chunks",
            "DroppedRegions",
            "Reclaim",
            "Idle",
            "ClearAhead",
            "Statistics",
            "RegionRuns",
            "Region",
            "PageArena");

    private static DescribedPredicate<JavaClass> isValue() {
        return isIn("upa.core", VALUES);
    }

    /** The simple name of the file's class; of an array, that of what is in it. */
    private static String outer(JavaClass any) {
        JavaClass c = any.getBaseComponentType();
        return c.getName().substring(c.getPackageName().length() + 1).replaceFirst("\\$.*", "");
    }

    // ---- packages --------------------------------------------------------------------------------------------

    @Test
    void theAllocatorKnowsNothingOfRegions() {
        DescribedPredicate<JavaClass> rawMemory =
                describe("RawMemory", c -> c.getName().equals("upa.internal.os.RawMemory"));
        classes()
                .that()
                .resideInAPackage("upa.llfree")
                .should()
                .onlyDependOnClassesThat(
                        resideInAnyPackage("java..", "upa.llfree").or(rawMemory))
                .check(UPA);
    }

    @Test
    void theOperatingSystemIsTheLowestLayer() {
        classes()
                .that()
                .resideInAPackage("upa.internal.bindings")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "upa.internal.bindings")
                .check(UPA);
        classes()
                .that()
                .resideInAPackage("upa.internal.os")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "upa.internal.os", "upa.internal.bindings")
                .check(UPA);
        classes()
                .that()
                .resideInAPackage("upa.internal.events")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "jdk.jfr", "upa.internal.events")
                .check(UPA);
    }

    @Test
    void backEndsKnowNothingOfTheFacadeNorOfEachOther() {
        classes()
                .that()
                .resideInAPackage("upa.internal.region..")
                .should()
                .onlyDependOnClassesThat(resideInAnyPackage("java..", "upa.llfree", "upa.internal..")
                        .or(isValue()))
                .check(UPA);
        noClasses()
                .that()
                .resideInAPackage("upa.internal.region")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("upa.internal.region.linear", "upa.internal.region.device")
                .check(UPA);
        noClasses()
                .that()
                .resideInAPackage("..linear")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("..device")
                .check(UPA);
        noClasses()
                .that()
                .resideInAPackage("..device")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("..linear")
                .check(UPA);
    }

    @Test
    void valuesKnowNobody() {
        classes()
                .that(isValue())
                .should()
                .onlyDependOnClassesThat(
                        resideInAnyPackage("java..", "upa.llfree").or(isValue()))
                .check(UPA);
    }

    @Test
    void onlyTheFacadeChoosesABackEnd() {
        noClasses()
                .that()
                .resideOutsideOfPackage("upa.internal.region..")
                .and(DescribedPredicate.not(isIn(
                        "upa.core",
                        Set.of("Region", "RegionRuns", "DroppedRegions", "Idle", "ClearAhead", "Statistics"))))
                .should()
                .dependOnClassesThat(resideInAPackage("upa.internal.region.."))
                .check(UPA);
        noClasses()
                .that()
                .resideInAPackage("upa.core")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("upa.internal.bindings")
                .check(UPA);
    }

    // ---- within a package ------------------------------------------------------------------------------------

    @Test
    void layersOfThePackagesRunDownwards() {
        checkLayers("upa.llfree", LLFREE, UPA);
        checkLayers("upa.internal.region.linear", LINEAR, UPA);
        checkLayers("upa.internal.region.device", DEVICE, UPA);
        Set<String> facade = new TreeSet<>(FACADE);
        facade.addAll(VALUES);
        assertEquals(facade, classesOf("upa.core", UPA), "each class of upa.core is a value or a layer");
        checkOrder("upa.core", FACADE, UPA);
    }

    @Test
    void aLayerThatLooksUpIsFound() {
        List<String> upsideDown = LLFREE.reversed();
        assertThrows(AssertionError.class, () -> checkLayers("upa.llfree", upsideDown, UPA));
    }

    private static void checkLayers(String packageName, List<String> layers, JavaClasses all) {
        assertEquals(
                new TreeSet<>(layers), classesOf(packageName, all), "each class of " + packageName + " has a layer");
        checkOrder(packageName, layers, all);
    }

    private static Set<String> classesOf(String packageName, JavaClasses all) {
        return all.stream()
                .filter(c -> c.getPackageName().equals(packageName))
                .map(LayersTest::outer)
                .filter(name -> !name.equals("package-info"))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static void checkOrder(String packageName, List<String> layers, JavaClasses all) {
        for (int i = 0; i < layers.size(); i++) {
            String layer = layers.get(i);
            Set<String> above = Set.copyOf(layers.subList(i + 1, layers.size()));
            noClasses()
                    .that(isIn(packageName, Set.of(layer)))
                    .should()
                    .dependOnClassesThat(isIn(packageName, above))
                    .check(all);
        }
    }

    private static DescribedPredicate<JavaClass> isIn(String packageName, Set<String> names) {
        return describe(
                "one of " + names + " of " + packageName,
                c -> c.getBaseComponentType().getPackageName().equals(packageName) && names.contains(outer(c)));
    }
}
