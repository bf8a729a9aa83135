/** What the counting programs have printed, and what it adds up to. */
package upa.counts.data;
