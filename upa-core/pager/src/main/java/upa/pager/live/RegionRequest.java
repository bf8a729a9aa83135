package upa.pager.live;

import java.util.HashMap;
import java.util.Map;
import upa.pager.device.DeviceException;
import upa.pager.host.Policies;
import upa.pager.host.PolicySpec;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.policy.PolicyException;

/**
 * What the owner of a region of the device asks of the pager, as {@code upa_region_admit()} does: a first line, then
 * lines {@code memory}, {@code policy}, {@code stores} and {@code pid}, each {@code name=value}.
 *
 * @param pid    process of the owner, as it says
 * @param policy which pages leave
 * @param bytes  memory that pages may have
 * @param stores where pages go
 */
record RegionRequest(int pid, PolicySpec policy, long bytes, String stores) {
    /** With this it begins. */
    static final String FIRST = "region 1\n";

    static RegionRequest parse(String text) throws DeviceException {
        Map<String, String> values = new HashMap<>();
        for (String line : text.substring(FIRST.length()).split("\n", -1)) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                values.put(line.substring(0, equals), line.substring(equals + 1));
            }
        }
        try {
            PolicySpec policy = PolicySpec.parse(values.getOrDefault("policy", Policies.DEFAULT));
            long bytes = Long.parseLong(values.getOrDefault("memory", ""));
            DevicePager.pagesOf(bytes);
            String stores = values.getOrDefault("stores", StoreSpec.DEFAULT);
            DevicePager.storesOf(stores);
            return new RegionRequest(Integer.parseInt(values.getOrDefault("pid", "")), policy, bytes, stores);
        } catch (PolicyException | StoreException | NumberFormatException e) {
            throw new DeviceException(e.getMessage());
        }
    }
}
