package upa.tools.policy;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import upa.pager.host.Policies;
import upa.pager.posix.FileFailure;

/** {@code upa policy new}: a Maven project with a policy that works, a test, and where to go on. */
record NewCommand(String name, Path folder, Path home) {
    private static final int MOST_CHARACTERS = 64;
    private static final Pattern VARIABLE = Pattern.compile("CLASS|NAME|HOME");
    private static final Pattern COMMENT = Pattern.compile("/\\*.*?\\*/|//[^\\n]*", Pattern.DOTALL);

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
            throw new UsageException("new needs a name of lower-case letters, digits and hyphens, got "
                    + (name == null ? "none" : "name=" + name));
        }
        if (name.length() > MOST_CHARACTERS) {
            throw new UsageException(
                    "new needs a name of at most " + MOST_CHARACTERS + " characters, got name=" + name);
        }
        NewCommand made = new NewCommand(
                name, Path.of(in).resolve(name), home.toAbsolutePath().normalize());
        if (made.isTaken()) {
            throw new UsageException("new needs a name that means nothing else to UPA and Java, got name=" + name);
        }
        return made;
    }

    /** A class cannot have the name of one that it uses; nor a policy that of another. */
    private boolean isTaken() throws UsageException {
        Pattern word = Pattern.compile("\\b" + className() + "\\b");
        try {
            for (String template : FILES.values()) {
                String code = template.contains(".java")
                        ? COMMENT.matcher(text(template)).replaceAll("")
                        : "";
                if (word.matcher(code).find()) {
                    return true;
                }
            }
        } catch (IOException e) {
            throw new UsageException("new has no templates: " + FileFailure.reason(e));
        }
        return Policies.list().stream().anyMatch(p -> p.name().equals(name));
    }

    private static String text(String template) throws IOException {
        try (InputStream in = NewCommand.class.getResourceAsStream(template)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
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
                Files.writeString(to, filled(text(file.getValue())));
            }
        } catch (IOException e) {
            throw new ProjectException("cannot make folder=" + folder + ": " + FileFailure.reason(e));
        }
        out.println("made " + folder + ": build and test it with mvn package, then read README.md");
    }

    private String filled(String text) {
        String root =
                text.startsWith("<?xml") ? home.toString().replace("&", "&amp;").replace("<", "&lt;") : home.toString();
        Map<String, String> values = Map.of("CLASS", className(), "NAME", name, "HOME", root);
        return VARIABLE.matcher(text).replaceAll(m -> Matcher.quoteReplacement(values.get(m.group())));
    }
}
