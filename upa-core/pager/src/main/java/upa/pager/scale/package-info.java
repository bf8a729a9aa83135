/** What pagers, links and nodes of a cluster carry together: a simulation of queues. SCALE.md says what comes of it. */
package upa.pager.scale;
