/**
 * The pager of running programs: serves their faults, and evicts by policy what is over their bound.
 *
 * <p>Each process has a session with a thread of its own, which alone changes where its pages are. The process has a
 * client, which moves pages out of its memory on order, since nobody else can. What the kernel says of the process's
 * mappings is read by the session only while no such order is under way: then no page can be moved that the program has
 * dropped or mapped anew meanwhile.
 */
package upa.pager.live;
