package upa.pager.live;

import upa.pager.device.PagedRegion;

/** A part of a device's pager, and what it uses of the others. Belongs to the pager's thread. */
abstract class DevicePart {
    final DevicePages all;
    final PagedRegion region;
    final PageStates states;
    final LiveMechanism mechanism;
    final Counters counters;

    DevicePart(DevicePages all) {
        this.all = all;
        region = all.region;
        states = all.states;
        mechanism = all.mechanism;
        counters = all.counters;
    }
}
