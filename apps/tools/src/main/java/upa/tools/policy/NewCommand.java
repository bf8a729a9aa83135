package upa.tools.policy;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import upa.pager.posix.FileFailure;

/** {@code upa policy new}: a Maven project with a policy that works, a test, and where to go on. */
record NewCommand(String name, Path folder, Path home) {
    /** Templates by the file that each becomes. */
    private static final Map<String, String> FILES = new TreeMap<>(Map.of(
            "pom.xml", "pom.xml.txt",
            "README.md", "README.md.txt",
            "src/main/java/policy/CLASS.java", "Policy.java.txt",
            "src/main/resources/META-INF/services/upa.policy.MemoryPolicy", "service.txt",
            "src/test/java/policy/CLASSTest.java", "PolicyTest.java.txt"));

    static NewCommand parse(String[] arguments, Path home) throws UsageException {
        String in = ".";
        String name = null;
        for (int i = 0; i < arguments.length; i++) {
            if (arguments[i].equals("--in")) {
                if (++i == arguments.length) {
                    throw new UsageException("option --in needs a folder");
                }
                in = arguments[i];
            } else if (arguments[i].startsWith("-")) {
                throw new UsageException("new has no option=" + arguments[i]);
            } else if (name != null) {
                throw new UsageException("new takes one name, got name=" + arguments[i] + " too");
            } else {
                name = arguments[i];
            }
        }
        if (name == null || !name.matches("[a-z][a-z0-9]*(-[a-z0-9]+)*")) {
            throw new UsageException("new needs a name of lower-case letters, digits and hyphens, got name=" + name);
        }
        return new NewCommand(
                name, Path.of(in).resolve(name), home.toAbsolutePath().normalize());
    }

    /** {@code least-used} becomes {@code LeastUsed}. */
    private String className() {
        StringBuilder text = new StringBuilder();
        for (String word : name.split("-")) {
            text.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
        }
        return text.toString();
    }

    void run(PrintStream out) throws ProjectException {
        if (!Files.isDirectory(folder.toAbsolutePath().getParent())) {
            throw new ProjectException("cannot make folder=" + folder + ": what it is to be in is no folder");
        }
        try {
            Files.createDirectory(folder);
            for (Map.Entry<String, String> file : FILES.entrySet()) {
                Path to = folder.resolve(filled(file.getKey()));
                Files.createDirectories(to.getParent());
                try (InputStream in = NewCommand.class.getResourceAsStream(file.getValue())) {
                    Files.writeString(to, filled(new String(in.readAllBytes(), StandardCharsets.UTF_8)));
                }
            }
        } catch (IOException e) {
            throw new ProjectException("cannot make folder=" + folder + ": " + FileFailure.reason(e));
        }
        out.println("made " + folder + ": build and test it with mvn package, then read README.md");
    }

    private String filled(String text) {
        return text.replace("CLASS", className()).replace("NAME", name).replace("HOME", home.toString());
    }
}
