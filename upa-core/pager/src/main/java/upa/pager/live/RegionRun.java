package upa.pager.live;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.function.Consumer;
import upa.pager.device.DeviceException;
import upa.pager.device.DeviceRegion;
import upa.pager.host.PolicyWatch;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.policy.PolicyException;

/**
 * One region of the device whose owner has connected: {@code upa-mmap-shim/lib/region/device/admit.c} says what goes
 * over the socket.
 *
 * @param pid   process of the owner
 * @param name  of its program
 * @param pager of the region
 */
record RegionRun(int pid, String name, DevicePager pager) {
    private static final long EINVAL = 22;

    /**
     * Begins to page a region.
     *
     * @param socket  connected to its owner; the pager's from now on, or closed if this fails
     * @param text    the owner's request
     * @param log     takes lines for the user
     * @return a pager at work, of which the owner has been told
     * @throws DeviceException if it makes no sense, or cannot be; the owner has been told
     */
    static DevicePager start(int socket, String text, Consumer<String> log) throws DeviceException {
        RegionRequest request;
        try {
            request = RegionRequest.parse(text);
            tryPolicy(request, log);
        } catch (DeviceException e) {
            say(socket, EINVAL);
            Posix.close(socket);
            throw e;
        }
        say(socket, 0);
        try {
            return DevicePager.start(DeviceRegion.of(socket), request.policy(), request.bytes(), request.stores(), log);
        } catch (StoreException | PolicyException e) {
            throw new DeviceException(e.getMessage());
        }
    }

    /** The owner is to hear of its options before it waits. */
    private static void tryPolicy(RegionRequest request, Consumer<String> log) throws DeviceException {
        try (PolicyWatch watch = new PolicyWatch()) {
            PolicyTrial.run(
                    request.policy(),
                    StoreSpec.parse(request.stores()).places(),
                    watch,
                    log,
                    Thread.currentThread().getThreadGroup());
        } catch (PolicyException | StoreException | PagerException e) {
            throw new DeviceException(e.getMessage());
        }
    }

    private static void say(int socket, long number) {
        try (Arena arena = Arena.ofConfined()) {
            Linux.send(socket, arena.allocateFrom(ValueLayout.JAVA_LONG, number));
        }
    }

    /**
     * Serves the owner until it ends, or revokes the pager; closes the socket.
     *
     * @param all has it meanwhile
     */
    static void serve(int socket, String text, Consumer<String> log, Collection<RegionRun> all) {
        int pid = Linux.peerPid(socket);
        try (DevicePager pager = start(socket, text, log)) {
            RegionRun run = new RegionRun(pid, nameOf(pid), pager);
            all.add(run);
            try {
                pager.over().exceptionally(e -> null).join();
            } finally {
                all.remove(run);
            }
        } catch (DeviceException e) {
            log.accept("a region of pid=" + pid + " is not paged: " + e.getMessage());
        }
    }

    private static String nameOf(int pid) {
        try {
            return Files.readString(Path.of("/proc", Integer.toString(pid), "comm"))
                    .strip()
                    .replaceAll("\\p{Cntrl}", "?");
        } catch (IOException e) {
            // It has just ended, or its name is no text.
            return "?";
        }
    }
}
