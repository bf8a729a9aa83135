package upa.internal.events;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;

/** What happens to the memory of a region, as JDK Flight Recorder records it. Off unless a recording asks for it. */
@Category("UPA")
@Enabled(false)
abstract class RegionEvent extends Event {
    @Label("Region")
    @Description("Address of the region's first page")
    @MemoryAddress
    long region;

    @Label("Size")
    @DataAmount
    long bytes;

    @Name("upa.Map")
    @Label("Map")
    @Description("A block taken from a region")
    static final class Map extends RegionEvent {
        @Label("Address")
        @MemoryAddress
        long address;
    }

    @Name("upa.Unmap")
    @Label("Unmap")
    @Description("A block freed in a region")
    static final class Unmap extends RegionEvent {
        @Label("Address")
        @MemoryAddress
        long address;
    }

    @Name("upa.GiveBack")
    @Label("Give Back")
    @Description("Memory of free pages returned to the kernel")
    static final class GiveBack extends RegionEvent {}

    @Name("upa.Scavenge")
    @Label("Scavenge")
    @Description("Memory taken from free pages for others")
    static final class Scavenge extends RegionEvent {}

    @Name("upa.Populate")
    @Label("Populate")
    @Description("Memory put behind pages before they are touched")
    static final class Populate extends RegionEvent {}
}
