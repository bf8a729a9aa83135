package upa.pager.live;

/** What a process and its pager tell each other: preload/pager/wire.h says what it means, in the same order. */
final class Wire {
    static final long MAGIC = 0x5041475241504755L;
    static final int VERSION = 6;

    static final int ORDER_PAGES = 256;
    static final int SCAN_PAGES = 16384;
    static final int STAGING_SLOTS = 1024;
    static final int NO_SLOT = 0xffff_ffff;

    static final long PAGES_OFFSET = 0;
    static final long RESULTS_OFFSET = 4096;
    static final long PRESENT_OFFSET = 8192;
    static final long KEPT_OFFSET = PRESENT_OFFSET + SCAN_PAGES;
    static final long KEPT_BYTES = 8192;
    static final long STAGING_OFFSET = KEPT_OFFSET + KEPT_BYTES;
    static final long WORDS_OFFSET = STAGING_OFFSET + STAGING_SLOTS * 4096L;
    static final int MOST_KEPT = 32;
    static final int FIRST_CHILD = 16;

    static final int HELLO_BYTES = 80;
    static final int HELLO_VERSION = 8;
    static final int HELLO_PID = 12;
    static final int HELLO_BASE = 16;
    static final int HELLO_LENGTH = 24;
    static final int HELLO_KEPT = 32;
    static final int HELLO_AGAIN = 36;
    static final int HELLO_KNOWN = 40;
    static final int HELLO_NAME = 48;

    static final int MESSAGE_BYTES = 24;
    static final int MESSAGE_COUNT = 4;
    static final int MESSAGE_TICKET = 8;
    static final int MESSAGE_ARGUMENT = 16;

    static final int DONE = 1;
    static final int ACTIVATE = 2;
    static final int FREEZE = 3;
    static final int LEAVE = 4;
    static final int HINT = 5;
    static final int WELCOME = 16;
    static final int STAGE = 17;
    static final int UNSHARE = 18;
    static final int SCAN = 19;
    static final int GIVE_BACK = 20;
    static final int EVICTED = 21;
    static final int GRANTED = 22;
    static final int LEFT = 23;
    static final int KEEP = 24;
    static final int BORN = 25;
    static final int UNBORN = 26;

    static final int UNBORN_UNKNOWN = 0;
    static final int UNBORN_NONE = 1;
    static final int UNBORN_ONE = 2;
    static final int UNBORN_TOLD = 3;

    private Wire() {}
}
