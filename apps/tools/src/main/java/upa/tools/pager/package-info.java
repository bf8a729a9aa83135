/** {@code upa pager}: what paged programs do, for those who watch many machines. */
package upa.tools.pager;
