package upa.pager.live;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import upa.pager.device.DeviceException;

/** A program that owns a region of the device in tests: {@code paged_owner.c}, which says what it obeys. */
final class DeviceOwner implements AutoCloseable {
    /** System property: path of the program. */
    static final String PROGRAM = "upa.test.owner";

    private final Process process;
    private final BufferedReader answers;
    private final PrintStream orders;

    DeviceOwner(int pages, int frames) throws IOException {
        this(List.of(System.getProperty(PROGRAM)), pages, frames);
    }

    /** One in Java. */
    static DeviceOwner inJava(int pages, int frames) throws IOException {
        return new DeviceOwner(
                List.of(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-Xmx64m",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        JavaOwner.class.getName()),
                pages,
                frames);
    }

    private DeviceOwner(List<String> program, int pages, int frames) throws IOException {
        List<String> command = new ArrayList<>(program);
        command.addAll(List.of(Integer.toString(pages), Integer.toString(frames)));
        process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        answers = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
        orders = new PrintStream(process.getOutputStream(), true, StandardCharsets.US_ASCII);
        String said = answers.readLine();
        if (!"ready".equals(said)) {
            throw new IOException("the owner said=" + said);
        }
    }

    /** Gives an order. Its answer is a line, or null if the owner has ended. */
    CompletableFuture<String> order(String line) {
        orders.println(line);
        return CompletableFuture.supplyAsync(() -> {
            try {
                return answers.readLine();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    String ask(String line) {
        return order(line).join();
    }

    /**
     * Has it hand its region over.
     *
     * @param order {@code admit} or {@code pair}
     * @param terms what follows the socket
     */
    DevicePager admit(RegionListener listener, String order, String terms) throws DeviceException {
        CompletableFuture<String> admitted = order(order + " " + listener.path() + " " + terms);
        DevicePager pager = listener.next();
        String said = admitted.join();
        if (!"admitted 0".equals(said)) {
            throw new AssertionError(said);
        }
        return pager;
    }

    /** A number of an answer of the form {@code name=number}. */
    static long number(String answer, String name) {
        return Arrays.stream(answer.split(" "))
                .filter(part -> part.startsWith(name + "="))
                .mapToLong(part -> Long.parseLong(part.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no " + name + " in: " + answer));
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
