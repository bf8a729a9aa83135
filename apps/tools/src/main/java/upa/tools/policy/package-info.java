/** The command {@code upa policy}: lists memory policies, simulates them on traces, makes a project for a new one. */
package upa.tools.policy;
