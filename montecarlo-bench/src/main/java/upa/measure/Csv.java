package upa.measure;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Records as comma-separated values: the components' names, such as size_bytes of sizeBytes, and a line per record. */
final class Csv {

    private Csv() {}

    /** The text; values with a comma, a quote or a line break are quoted, doubles have three digits after the point. */
    static <R extends Record> String format(Class<R> type, List<R> rows) {
        RecordComponent[] components = type.getRecordComponents();
        StringBuilder out = new StringBuilder();
        out.append(Stream.of(components).map(c -> column(c.getName())).collect(Collectors.joining(",")))
                .append('\n');
        for (R row : rows) {
            out.append(Stream.of(components).map(c -> value(row, c)).collect(Collectors.joining(",")))
                    .append('\n');
        }
        return out.toString();
    }

    private static String column(String name) {
        return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    private static String value(Record row, RecordComponent component) {
        try {
            component.getAccessor().setAccessible(true);
            Object value = component.getAccessor().invoke(row);
            String text =
                    value instanceof Double number ? String.format(Locale.ROOT, "%.3f", number) : String.valueOf(value);
            return text.matches("[^,\"\n\r]*") ? text : '"' + text.replace("\"", "\"\"") + '"';
        } catch (IllegalAccessException | InvocationTargetException e) {
            throw new IllegalStateException("cannot read component=" + component, e);
        }
    }
}
