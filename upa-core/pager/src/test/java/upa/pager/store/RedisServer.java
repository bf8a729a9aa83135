package upa.pager.store;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A redis-server of its own on the loopback interface, without a file. */
final class RedisServer implements AutoCloseable {
    private final List<String> command;
    private final Path folder;
    final int port;
    private Process process;

    private RedisServer(Path folder, int port, List<String> arguments) throws Exception {
        this.folder = folder;
        this.port = port;
        command = new ArrayList<>(List.of(
                "redis-server",
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                folder.toString(),
                "--daemonize",
                "no",
                "--loglevel",
                "warning"));
        if (!arguments.contains("--port")) {
            command.addAll(List.of("--port", Integer.toString(port)));
        }
        command.addAll(arguments);
        start();
    }

    static boolean isThere() {
        return List.of(System.getenv("PATH").split(":")).stream()
                .anyMatch(p -> Files.isExecutable(Path.of(p, "redis-server")));
    }

    static RedisServer start(Path folder, String... arguments) throws Exception {
        return new RedisServer(folder, freePort(), List.of(arguments));
    }

    static RedisServer start(Path folder, int port, String... arguments) throws Exception {
        return new RedisServer(folder, port, List.of(arguments));
    }

    /** Below the ephemeral range, and with room for a cluster's bus, which is 10 000 above. */
    static int freePort() throws IOException {
        for (int i = 0; i < 200; i++) {
            int port = 20_000 + (int) (Math.random() * 2_000);
            try (ServerSocket one = new ServerSocket(port, 1, InetAddress.getLoopbackAddress());
                    ServerSocket bus = new ServerSocket(port + 10_000, 1, InetAddress.getLoopbackAddress())) {
                return one.getLocalPort() == port && bus.isBound() ? port : freePort();
            } catch (IOException e) {
                continue;
            }
        }
        throw new IOException("no free port");
    }

    void start() throws Exception {
        process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("redis-" + port + ".log").toFile())
                .start();
        StoreContract.await("redis-server", () -> {
            try (Socket s = new Socket(InetAddress.getLoopbackAddress(), port)) {
                return s.isConnected();
            } catch (IOException e) {
                if (!process.isAlive()) {
                    throw new IOException(Files.readString(folder.resolve("redis-" + port + ".log")), e);
                }
                return false;
            }
        });
    }

    /** Ends it at once, and with it all that it held. */
    void kill() throws InterruptedException {
        process.destroyForcibly();
        process.waitFor(10, TimeUnit.SECONDS);
    }

    void signal(String name) throws IOException, InterruptedException {
        new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                .start()
                .waitFor();
    }

    /** Sends a command and returns the first line of the answer. A replica that is loading is asked again. */
    String ask(String... words) throws IOException {
        String answer = askOnce(words);
        for (int i = 0; answer.startsWith("-LOADING") && i < 3000; i++) {
            LockSupport.parkNanos(10_000_000);
            answer = askOnce(words);
        }
        return answer;
    }

    private String askOnce(String... words) throws IOException {
        try (Socket s = new Socket(InetAddress.getLoopbackAddress(), port)) {
            s.setSoTimeout(10_000);
            OutputStream out = s.getOutputStream();
            out.write((String.join(" ", words) + "\r\n").getBytes(StandardCharsets.UTF_8));
            out.flush();
            InputStream in = s.getInputStream();
            StringBuilder line = new StringBuilder();
            for (int c = in.read(); c >= 0 && c != '\n'; c = in.read()) {
                line.append((char) c);
            }
            return line.toString().strip();
        }
    }

    long keys() throws IOException {
        return Long.parseLong(ask("DBSIZE").substring(1));
    }

    @Override
    public void close() throws IOException {
        if (process.isAlive()) {
            try {
                signal("CONT");
                kill();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
