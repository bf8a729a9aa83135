package upa.measure.report;

import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import upa.measure.report.Report.FlameGraph;

/** Draws a flame graph (B. Gregg, The flame graph, CACM 2016): frames of one caller by name, and no scale of time. */
final class FlameGraphSvg {
    private static final double WIDTH = 1000;
    private static final int HEIGHT = 16;
    private static final double LETTER_WIDTH = 6.2;
    /** Narrower frames are not drawn, nor what they call. */
    private static final double NARROWEST = 0.5;

    private static final int HUES = 50;

    private final StringBuilder out = new StringBuilder();
    private final UnaryOperator<String> escape;
    private final String unit;
    private final Frame root = new Frame();

    private static final class Frame {
        private final Map<String, Frame> callees = new TreeMap<>();
        private long count;

        int depth() {
            return 1 + callees.values().stream().mapToInt(Frame::depth).max().orElse(0);
        }
    }

    private FlameGraphSvg(FlameGraph graph, UnaryOperator<String> escape) {
        this.escape = escape;
        unit = graph.unit();
        graph.stacks().forEach((stack, count) -> {
            Frame at = root;
            at.count += count;
            for (String name : stack.split(";")) {
                at = at.callees.computeIfAbsent(name, n -> new Frame());
                at.count += count;
            }
        });
    }

    /**
     * The graph as an SVG element.
     *
     * @param graph  what to draw
     * @param escape makes text of HTML
     */
    static String draw(FlameGraph graph, UnaryOperator<String> escape) {
        return new FlameGraphSvg(graph, escape).draw();
    }

    private String draw() {
        int depth = root.depth();
        out.append(String.format(
                Locale.ROOT,
                "<svg class=\"flames\" viewBox=\"0 0 %.0f %d\" width=\"100%%\" font-size=\"10\""
                        + " font-family=\"monospace\">%n",
                WIDTH,
                depth * HEIGHT));
        if (root.count > 0) {
            frame("all", root, 0, depth - 1);
        }
        return out.append("</svg>").toString();
    }

    private void frame(String name, Frame frame, double x, int row) {
        double width = WIDTH * frame.count / root.count;
        if (width < NARROWEST) {
            return;
        }
        String text = escape.apply(name);
        out.append(String.format(
                Locale.ROOT,
                "<g><title>%s: %,d %s, %.1f %%</title><rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\""
                        + " fill=\"hsl(%d 85%% 62%%)\" stroke=\"#fff\" stroke-width=\"0.5\"/>",
                text,
                frame.count,
                escape.apply(unit),
                100.0 * frame.count / root.count,
                x,
                row * HEIGHT,
                width,
                HEIGHT,
                Math.floorMod(name.hashCode(), HUES)));
        int letters = (int) (width / LETTER_WIDTH) - 1;
        if (letters > 2) {
            String shown = name.length() <= letters ? name : name.substring(0, letters - 1) + "…";
            out.append(String.format(
                    Locale.ROOT,
                    "<text x=\"%.1f\" y=\"%d\" fill=\"#000\">%s</text>",
                    x + 2,
                    row * HEIGHT + HEIGHT - 4,
                    escape.apply(shown)));
        }
        out.append("</g>\n");
        double at = x;
        for (Map.Entry<String, Frame> callee : frame.callees.entrySet()) {
            frame(callee.getKey(), callee.getValue(), at, row - 1);
            at += WIDTH * callee.getValue().count / root.count;
        }
    }
}
