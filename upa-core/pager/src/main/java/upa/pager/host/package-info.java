/**
 * Runs memory policies: finds them by name, gives them lists and columns, tells them what happens, checks what they
 * propose, and replaces those that fail.
 *
 * <p>{@link upa.pager.host.PolicyHost} calls the policies of one region and belongs to one thread;
 * {@link upa.pager.host.PolicyThread} is that thread, fed by any other; {@link upa.pager.host.PolicyWatch} notices
 * callbacks that do not return. What the pages really do is behind {@link upa.pager.host.Mechanism}: the simulator's or
 * the pager's.
 */
package upa.pager.host;
