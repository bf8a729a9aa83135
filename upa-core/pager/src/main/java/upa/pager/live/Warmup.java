package upa.pager.live;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.host.PolicyWatch;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.policy.PageBatch.Cause;
import upa.policy.PolicyContext;

/**
 * Loads what a pager will need: run once when this is built, so that the virtual machine can keep it. Its run is this
 * process, and never over.
 */
public final class Warmup {
    private Warmup() {}

    /**
     * Has a pager do a bit of everything.
     *
     * @param oneLine as for {@link Pager}
     * @throws StoreException if a store cannot be had
     * @throws IOException if a socket cannot be had
     */
    public static void run(UnaryOperator<String> oneLine) throws StoreException, IOException {
        stores();
        Path folder = Files.createTempDirectory("upa");
        Path control = folder.resolve("warm.control");
        int listener = Linux.listen(control.toString());
        try (Arena arena = Arena.ofConfined();
                Pager pager = new Pager(control, listener, oneLine)) {
            Thread.ofPlatform().daemon().start(pager::run);
            int run = Linux.connect(control.toString());
            int self = Linux.pidfd((int) ProcessHandle.current().pid());
            String request = RunRequest.FIRST + ProcessHandle.current().pid() + "\0clock\00064M\0lz4:1M\0/\0\0";
            Path place = folder.resolve("warm." + ProcessHandle.current().pid());
            int processes = Linux.listen(place.toString());
            Linux.send(run, text(arena, request), 2, self, processes);
            MemorySegment answer = arena.allocate(PageIo.PAGE_BYTES, Long.BYTES);
            Linux.receive(run, answer, new int[0]);
            int command = Linux.connect(control.toString());
            Linux.send(command, text(arena, "status"));
            Linux.receive(command, answer, new int[0]);
            Posix.close(command);
            Posix.close(run);
            Posix.close(self);
            Posix.close(processes);
            Files.deleteIfExists(place);
        }
        Files.deleteIfExists(folder);
    }

    private static MemorySegment text(Arena arena, String text) {
        return arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
    }

    private static void stores() throws StoreException {
        try (StoreChain chain = StoreChain.open(StoreSpec.parse(StoreSpec.DEFAULT));
                PolicyWatch watch = new PolicyWatch();
                Arena arena = Arena.ofConfined()) {
            PageIo io = new PageIo(arena, 1);
            MemorySegment page = arena.allocate(PageIo.PAGE_BYTES);
            for (int i = 0; i < PageIo.PAGE_BYTES; i += Integer.BYTES) {
                page.set(ValueLayout.JAVA_INT, i, i * i);
            }
            PageStates states = new PageStates(PolicyContext.BLOCK_PAGES);
            Migration migration =
                    chain.migration(states, Runnable::run, Runnable::run, (number, word) -> chain.free(word));
            migration.tier(PlaceWord.STAGING, new StagingArea(slot -> page));
            states.set(0, PlaceWord.of(PlaceWord.STAGING, 0, 0));
            migration
                    .move(new int[1], 1, PlaceWord.STAGING, chain.route(0), io, Migration.Told.NOBODY)
                    .join();
            chain.read(states.get(0), io).join();
            chain.free(states.get(0));
            states.set(0, PageStates.memory());
            LiveMechanism mechanism =
                    new LiveMechanism(states, chain.places(), new Counters(), PolicyContext.BLOCK_PAGES, () -> {});
            try (PolicyThread policies = new PolicyThread(mechanism, PolicySpec.DEFAULT, watch, line -> {})) {
                policies.tell(Cause.FIRST_TOUCH, new int[] {1}, 1);
                policies.want(1, false);
                policies.replace(PolicySpec.parse("s3-fifo+stride")).join();
            }
        }
    }
}
