/** The programs to measure, as their files describe them. */
package upa.apps.workload;
