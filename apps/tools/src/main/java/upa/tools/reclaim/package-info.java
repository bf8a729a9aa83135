/** {@code upa reclaim}: memory of what programs under UPA have freed goes back to the kernel now. */
package upa.tools.reclaim;
