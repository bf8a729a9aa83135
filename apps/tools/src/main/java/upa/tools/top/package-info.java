/** {@code upa top}: a live view of programs under UPA, read from their memory without their taking part. */
package upa.tools.top;
