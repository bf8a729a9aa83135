package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ClassLoadingMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import upa.pager.policies.Clock;
import upa.policy.MemoryPolicy;
import upa.policy.PolicyException;
import upa.policy.PolicyInfo;

/** How policies are found, and what is said of those that cannot be used. */
class PoliciesTest {
    @TempDir
    static Path folder;

    static Path jar;

    @BeforeAll
    static void makeJar() throws IOException {
        Path sources = Files.createDirectories(folder.resolve("src/foreign"));
        String head = "package foreign; import upa.policy.*; @PolicyInfo(name = \"f\", summary = \"s\", api = %s) "
                + "public %sclass %s implements MemoryPolicy { %s public void attach(PolicyContext c) {} "
                + "public void evict(Eviction w) {} }";
        Files.writeString(sources.resolve("Good.java"), head.formatted("MemoryPolicy.API", "", "Good", ""));
        Files.writeString(sources.resolve("Newer.java"), head.formatted("MemoryPolicy.API + 1", "", "Newer", ""));
        Files.writeString(
                sources.resolve("Throwing.java"),
                head.formatted(
                        "MemoryPolicy.API",
                        "",
                        "Throwing",
                        "public Throwing() { throw new IllegalStateException(\"no disk\"); }"));
        Files.writeString(
                sources.resolve("Loading.java"),
                head.formatted("MemoryPolicy.API", "", "Loading", "static int x = 1 / Integer.parseInt(\"0\");"));
        Files.writeString(
                sources.resolve("Arguments.java"),
                head.formatted("MemoryPolicy.API", "", "Arguments", "public Arguments(int x) {}"));
        Files.writeString(
                sources.resolve("Abstract.java"), head.formatted("MemoryPolicy.API", "abstract ", "Abstract", ""));
        Files.writeString(
                sources.resolve("Nameless.java"),
                "package foreign; import upa.policy.*; public class Nameless "
                        + "implements MemoryPolicy { public void attach(PolicyContext c) {} "
                        + "public void evict(Eviction w) {} }");
        Files.writeString(sources.resolve("Other.java"), "package foreign; public class Other {}");
        List<String> files;
        try (var list = Files.list(sources)) {
            files = list.map(Path::toString).toList();
        }
        Path classes = Files.createDirectories(folder.resolve("classes"));
        List<String> arguments = new ArrayList<>(List.of(
                "-d",
                classes.toString(),
                "-proc:none",
                "-cp",
                System.getProperty("java.class.path") + ":"
                        + Path.of(MemoryPolicy.class
                                .getProtectionDomain()
                                .getCodeSource()
                                .getLocation()
                                .getPath())));
        arguments.addAll(files);
        assertEquals(0, ToolProvider.getSystemJavaCompiler().run(null, null, null, arguments.toArray(String[]::new)));
        jar = folder.resolve("foreign.jar");
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream to = new JarOutputStream(out);
                var list = Files.list(classes.resolve("foreign"))) {
            for (Path file : list.toList()) {
                to.putNextEntry(new JarEntry("foreign/" + file.getFileName()));
                to.write(Files.readAllBytes(file));
                to.closeEntry();
            }
        }
    }

    private static MemoryPolicy create(String name) {
        return Policies.make(name, Policies.find(new PolicySpec.Element(name, Map.of())));
    }

    @Test
    void thoseThatComeWithUpaAreListed() {
        List<String> names = Policies.list().stream().map(PolicyInfo::name).toList();
        assertEquals(names.stream().sorted().toList(), names);
        assertTrue(
                names.containsAll(List.of(
                        "2q",
                        "clock",
                        "csr-window",
                        "fifo",
                        "huge",
                        "placement",
                        "populate-ahead",
                        "rules",
                        "s3-fifo",
                        "sequential",
                        "sieve",
                        "stride",
                        "working-set",
                        "zero-ahead")),
                names.toString());
        for (PolicyInfo info : Policies.list()) {
            assertEquals(
                    info.name(),
                    create(info.name())
                            .getClass()
                            .getAnnotation(PolicyInfo.class)
                            .name());
        }
    }

    @Test
    void theDefaultIsClock() {
        assertInstanceOf(Clock.class, create(Policies.DEFAULT));
    }

    @Test
    void aClassOfAJarIsFound() {
        assertEquals("foreign.Good", create(jar + ":foreign.Good").getClass().getName());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "none.jar:x|cannot read policy jar=DIR/none.jar: there is no such file",
                "foreign.jar:foreign.Missing|jar=DIR/foreign.jar has no class=foreign.Missing",
                "foreign.jar:foreign.Other|class=foreign.Other does not implement upa.policy.MemoryPolicy",
                "foreign.jar:foreign.Nameless|class=foreign.Nameless has no annotation upa.policy.PolicyInfo",
                "foreign.jar:foreign.Newer|policy=DIR/foreign.jar:foreign.Newer was compiled for version=2 of"
                        + " upa.policy, "
                        + "this is version 1: compile it anew",
                "foreign.jar:foreign.Abstract|class=foreign.Abstract is not public, or abstract",
                "foreign.jar:foreign.Arguments|class=foreign.Arguments has no public constructor without parameters",
                "foreign.jar:foreign.Throwing|policy=DIR/foreign.jar:foreign.Throwing cannot start: "
                        + "java.lang.IllegalStateException: no disk"
            })
    void saysWhatIsWrongWithAClass(String name, String message) {
        PolicyException e = assertThrows(PolicyException.class, () -> create(folder + "/" + name));
        assertEquals(message.replace("DIR", folder.toString()), e.getMessage());
    }

    @Test
    void aClassThatFailsToLoadIsAnErrorOfOneLine() {
        PolicyException e = assertThrows(PolicyException.class, () -> create(jar + ":foreign.Loading"));
        assertEquals(
                "policy=" + jar + ":foreign.Loading cannot start: java.lang.ArithmeticException: / by zero",
                e.getMessage());
    }

    @Test
    void aFileThatIsNoJarIsSaidToBeNone() throws IOException {
        Path text = Files.writeString(folder.resolve("text.jar"), "no archive\n");
        Path part = folder.resolve("part.jar");
        Files.write(part, Arrays.copyOf(Files.readAllBytes(jar), 700));
        for (Path file : List.of(text, part)) {
            PolicyException e = assertThrows(PolicyException.class, () -> create(file + ":foreign.Good"));
            assertTrue(e.getMessage().startsWith("cannot read policy jar=" + file + ": "), e.getMessage());
        }
    }

    @Test
    void anUnknownNameIsAnsweredWithThoseThereAre() {
        PolicyException e = assertThrows(PolicyException.class, () -> create("clok"));
        assertTrue(e.getMessage().startsWith("there is no policy=clok; there are 2q, clock, "), e.getMessage());
    }

    /** A pager lives as long as its programs, whatever policies they try. */
    @Test
    void policiesOfJarsAreUnloadedWhenNobodyUsesThem() throws InterruptedException {
        ClassLoadingMXBean classes = ManagementFactory.getClassLoadingMXBean();
        long before = classes.getUnloadedClassCount();
        try (PolicyHost host = new PolicyHost(new FakeMechanism(1000, 100), line -> {})) {
            for (int i = 0; i < 300; i++) {
                host.replace(PolicySpec.parse(jar + ":foreign.Good"));
            }
            for (int tries = 0; tries < 20 && classes.getUnloadedClassCount() - before < 290; tries++) {
                System.gc();
                Thread.sleep(50);
            }
            assertTrue(
                    classes.getUnloadedClassCount() - before >= 290,
                    "of classes=300 only unloaded=" + (classes.getUnloadedClassCount() - before));
            assertEquals(jar + ":foreign.Good", host.spec().text());
        }
    }
}
