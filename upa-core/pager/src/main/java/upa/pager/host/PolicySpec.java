package upa.pager.host;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import upa.policy.PolicyException;

/**
 * A choice of policies, as on the command line: {@code NAME[,key=value…][+NAME…]}. A NAME is that of a policy or
 * {@code file.jar:class}; one that begins with {@code when} is the text of a declarative policy, and goes on to the
 * end. The policies are asked for victims in this order.
 *
 * @param elements none only for a host that has given up on policies
 */
public record PolicySpec(List<Element> elements) {
    /** The default policy. */
    public static final PolicySpec DEFAULT = of(List.of(new Element(Policies.DEFAULT, Map.of())));
    /** Option under which a declarative policy finds its text. */
    public static final String RULES = "rules";

    private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9-]*");
    private static final Pattern KEY = Pattern.compile("[a-z][a-z0-9-]*");

    /**
     * One policy of several.
     *
     * @param name    by which it is chosen, or {@code file.jar:class}
     * @param options by key
     */
    public record Element(String name, Map<String, String> options) {

        /** {@return it as it is written on the command line} */
        public String text() {
            if (options.containsKey(RULES)) {
                return options.get(RULES);
            }
            StringBuilder text = new StringBuilder(name);
            options.forEach(
                    (key, value) -> text.append(',').append(key).append('=').append(value));
            return text.toString();
        }

        /** {@return whether the name is that of a class in a jar} */
        public boolean isInJar() {
            return name.contains(".jar:");
        }
    }

    /**
     * Reads a choice.
     *
     * @param text as on the command line
     * @return what it says
     * @throws PolicyException if it cannot be read
     */
    public static PolicySpec parse(String text) {
        List<Element> elements = new ArrayList<>();
        String rest = text.strip();
        while (!rest.isEmpty()) {
            if (rest.startsWith("when ")) {
                elements.add(new Element("rules", Map.of(RULES, rest)));
                break;
            }
            int plus = rest.indexOf('+');
            elements.add(element(text, plus < 0 ? rest : rest.substring(0, plus)));
            rest = plus < 0 ? "" : rest.substring(plus + 1).strip();
            if (plus >= 0 && rest.isEmpty()) {
                throw new PolicyException("no policy behind the last +: policy=" + text);
            }
        }
        if (elements.isEmpty()) {
            throw new PolicyException("no policy named: policy=" + text);
        }
        return of(elements);
    }

    static PolicySpec of(List<Element> elements) {
        return new PolicySpec(List.copyOf(elements));
    }

    /** {@return the choice as it is written on the command line} */
    public String text() {
        return String.join("+", elements.stream().map(Element::text).toList());
    }

    /**
     * The same choice for whoever has another working directory.
     *
     * @param folder in which names of jars are to be looked for
     * @return with absolute names
     */
    public PolicySpec in(Path folder) {
        return of(elements.stream()
                .map(e -> e.isInJar() && !e.name.startsWith("/")
                        ? new Element(folder.resolve(e.name).toString(), e.options)
                        : e)
                .toList());
    }

    private static Element element(String whole, String text) {
        String[] parts = text.split(",", -1);
        String name = parts[0].strip();
        if (!name.contains(".jar:") && !NAME.matcher(name).matches()) {
            throw new PolicyException("not a name of a policy: name=" + name + " in policy=" + whole);
        }
        Map<String, String> options = new LinkedHashMap<>();
        for (int i = 1; i < parts.length; i++) {
            int equals = parts[i].indexOf('=');
            String key = equals < 0 ? parts[i] : parts[i].substring(0, equals);
            if (equals < 0 || !KEY.matcher(key).matches()) {
                throw new PolicyException("not an option, key=value, of policy=" + name + ": option=" + parts[i]);
            }
            if (options.put(key, parts[i].substring(equals + 1)) != null) {
                throw new PolicyException("given twice: option=" + key + " of policy=" + name);
            }
        }
        return new Element(name, options);
    }
}
