/**
 * Reports of measurements: a model of sections, tables and charts ({@link upa.measure.report.Report}), which is
 * written as one self-contained HTML page and as text for the terminal. It knows nothing of what was measured.
 */
package upa.measure.report;
