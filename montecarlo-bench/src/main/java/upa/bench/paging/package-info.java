/** Programs larger than the memory they may have: UPA's pager beside the kernel's own ways, under the same bound. */
package upa.bench.paging;
