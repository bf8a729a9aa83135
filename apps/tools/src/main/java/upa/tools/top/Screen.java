package upa.tools.top;

import java.io.IOException;
import java.util.List;
import org.jline.terminal.Attributes;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.utils.InfoCmp.Capability;
import org.jline.utils.NonBlockingReader;

/** The whole terminal, given back as it was by {@link #close}, which also runs when the process is told to end. */
final class Screen implements AutoCloseable {

    private final Terminal terminal;
    private final Attributes before;
    private final Thread hook = new Thread(this::restore);
    private volatile boolean interrupted;
    private boolean restored;

    Screen() throws IOException {
        terminal = TerminalBuilder.builder().system(true).dumb(false).build();
        before = terminal.enterRawMode();
        terminal.handle(Terminal.Signal.INT, s -> interrupted = true);
        Runtime.getRuntime().addShutdownHook(hook);
        terminal.puts(Capability.enter_ca_mode);
        terminal.puts(Capability.cursor_invisible);
        terminal.flush();
    }

    /** Shows lines from the top, as far as they fit. */
    void show(List<String> lines) {
        int width = Math.max(1, terminal.getWidth());
        int height = Math.max(1, terminal.getHeight());
        terminal.puts(Capability.cursor_home);
        for (int i = 0; i < Math.min(lines.size(), height); i++) {
            String line = lines.get(i);
            terminal.writer().print(line.length() > width ? line.substring(0, width) : line);
            terminal.puts(Capability.clr_eol);
            if (i < height - 1) {
                terminal.writer().print("\r\n");
            }
        }
        terminal.puts(Capability.clr_eos);
        terminal.flush();
    }

    /** Waits so long, or until a key says to end: q, Ctrl-C or Ctrl-D. Any other key ends the wait alone. */
    boolean wantsToEnd(long milliseconds) throws IOException {
        NonBlockingReader reader = terminal.reader();
        long end = System.nanoTime() + milliseconds * 1_000_000;
        while (!interrupted) {
            long left = (end - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return false;
            }
            // In steps, since a signal does not end a read.
            int key = reader.read(Math.min(left, 100));
            if (key == NonBlockingReader.EOF || key == 'q' || key == 'Q' || key == 3 || key == 4) {
                return true;
            }
            if (key != NonBlockingReader.READ_EXPIRED) {
                return false;
            }
        }
        return true;
    }

    private synchronized void restore() {
        if (restored) {
            return;
        }
        restored = true;
        terminal.puts(Capability.cursor_visible);
        terminal.puts(Capability.exit_ca_mode);
        terminal.flush();
        terminal.setAttributes(before);
    }

    @Override
    public void close() throws IOException {
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // It runs just now.
        }
        terminal.close();
    }
}
