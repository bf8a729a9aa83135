/** System calls that the JDK does not have, through the foreign function interface. */
package upa.pager.posix;
