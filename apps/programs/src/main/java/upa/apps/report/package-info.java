/** The report of {@code upa apps}, a class per section. */
package upa.apps.report;
