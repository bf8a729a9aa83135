package upa.pager.host;

import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.zip.ZipFile;
import upa.policy.MemoryPolicy;
import upa.policy.PolicyException;
import upa.policy.PolicyInfo;

/** Finds policies: those that jars on the class path name as services, and classes of other jars. */
public final class Policies {
    /** The default policy, which takes over from one that fails. */
    public static final String DEFAULT = "clock";

    private Policies() {}

    /**
     * The policies that can be chosen by name.
     *
     * @return what they say of themselves, by name
     */
    public static List<PolicyInfo> list() {
        return types().stream()
                .map(t -> t.getAnnotation(PolicyInfo.class))
                .sorted(Comparator.comparing(PolicyInfo::name))
                .toList();
    }

    private static List<Class<? extends MemoryPolicy>> types() {
        List<Class<? extends MemoryPolicy>> types = new ArrayList<>();
        var providers = ServiceLoader.load(MemoryPolicy.class, Policies.class.getClassLoader()).stream()
                .iterator();
        while (true) {
            try {
                if (!providers.hasNext()) {
                    return types;
                }
                Class<? extends MemoryPolicy> type = providers.next().type();
                if (type.isAnnotationPresent(PolicyInfo.class)) {
                    types.add(type);
                }
            } catch (ServiceConfigurationError e) {
                // A jar that names a class which it has not: the others are still there.
                continue;
            }
        }
    }

    /**
     * Finds a policy. None of its code runs.
     *
     * @param element its name; its options are not looked at
     * @return its class
     * @throws PolicyException if there is none, or it is of another version
     */
    static Class<?> find(PolicySpec.Element element) {
        if (element.isInJar()) {
            return checked(element.name(), inJar(element.name()));
        }
        List<Class<? extends MemoryPolicy>> types = types();
        for (Class<? extends MemoryPolicy> type : types) {
            if (type.getAnnotation(PolicyInfo.class).name().equals(element.name())) {
                return checked(element.name(), type);
            }
        }
        throw new PolicyException("there is no policy=" + element.name() + "; there are "
                + String.join(", ", list().stream().map(PolicyInfo::name).toList()));
    }

    private static Class<?> inJar(String name) {
        int colon = name.lastIndexOf(".jar:") + 4;
        Path jar;
        try {
            jar = Path.of(name.substring(0, colon)).toAbsolutePath();
        } catch (InvalidPathException e) {
            throw new PolicyException("no file can be named so in this locale: policy jar=" + name, e);
        }
        String type = name.substring(colon + 1);
        if (!Files.isRegularFile(jar)) {
            throw new PolicyException("cannot read policy jar=" + jar + ": there is no such file");
        }
        // A class loader would say of one that is no jar that the class is missing.
        try (ZipFile whole = new ZipFile(jar.toFile())) {
            assert whole.size() >= 0;
            // Stays open as long as the class is in use: it is loaded piece by piece.
            @SuppressWarnings("resource")
            URLClassLoader loader =
                    new URLClassLoader(new URL[] {jar.toUri().toURL()}, Policies.class.getClassLoader());
            try {
                return Class.forName(type, false, loader);
            } catch (ClassNotFoundException e) {
                loader.close();
                throw new PolicyException("jar=" + jar + " has no class=" + type, e);
            } catch (LinkageError e) {
                loader.close();
                throw new PolicyException("cannot load class=" + type + " of jar=" + jar + ": " + e, e);
            }
        } catch (IOException e) {
            throw new PolicyException("cannot read policy jar=" + jar + ": " + e.getMessage(), e);
        }
    }

    private static Class<?> checked(String name, Class<?> type) {
        PolicyInfo info = type.getAnnotation(PolicyInfo.class);
        if (!MemoryPolicy.class.isAssignableFrom(type)) {
            throw new PolicyException(
                    "class=" + type.getName() + " does not implement " + MemoryPolicy.class.getName());
        }
        if (info == null) {
            throw new PolicyException("class=" + type.getName() + " has no annotation " + PolicyInfo.class.getName());
        }
        if (info.api() != MemoryPolicy.API) {
            throw new PolicyException("policy=" + name + " was compiled for version=" + info.api()
                    + " of upa.policy, this is version " + MemoryPolicy.API + ": compile it anew");
        }
        if (!Modifier.isPublic(type.getModifiers()) || Modifier.isAbstract(type.getModifiers())) {
            throw new PolicyException("class=" + type.getName() + " is not public, or abstract");
        }
        return type;
    }

    /**
     * Makes a policy: what its class and its constructor do is done now.
     *
     * @param name by which it was chosen
     * @param type one that was found
     * @return a new one, not attached
     * @throws PolicyException if it cannot be made
     */
    static MemoryPolicy make(String name, Class<?> type) {
        try {
            Constructor<?> constructor = type.getConstructor();
            return (MemoryPolicy) constructor.newInstance();
        } catch (NoSuchMethodException e) {
            throw new PolicyException("class=" + type.getName() + " has no public constructor without parameters", e);
        } catch (InvocationTargetException | ExceptionInInitializerError e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new PolicyException("policy=" + name + " cannot start: " + Thrown.text(cause), cause);
        } catch (ReflectiveOperationException | LinkageError e) {
            throw new PolicyException("policy=" + name + " cannot start: " + e, e);
        }
    }
}
