package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import upa.pager.device.DeviceException;
import upa.pager.device.DeviceRegion;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.StoreException;
import upa.policy.PolicyException;

/**
 * One region of the device whose owner has connected: {@code upa-mmap-shim/lib/region/device/admit.c} says what goes
 * over the socket.
 */
final class RegionRun {
    private static final long EINVAL = 22;

    private RegionRun() {}

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

    private static void say(int socket, long number) {
        try (Arena arena = Arena.ofConfined()) {
            Linux.send(socket, arena.allocateFrom(ValueLayout.JAVA_LONG, number));
        }
    }

    /** Serves the owner until it ends, or revokes the pager; closes the socket. */
    static void serve(int socket, String text, Consumer<String> log) {
        try (DevicePager pager = start(socket, text, log)) {
            pager.over().exceptionally(e -> null).join();
        } catch (DeviceException e) {
            log.accept("a region is not paged: " + e.getMessage());
        }
    }
}
