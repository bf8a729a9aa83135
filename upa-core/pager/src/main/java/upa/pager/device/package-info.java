/**
 * Regions of the kernel module as a pager sees them: {@link upa.pager.device.PagedRegion} has the words of the pages,
 * the frames that are free, and the calls by which pages come and go. {@link upa.pager.device.DeviceRegion} is one of
 * {@code /dev/upa}, which its owner has admitted this process to.
 */
package upa.pager.device;
