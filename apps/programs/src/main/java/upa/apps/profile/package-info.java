/** Why a program gains or not: the kernel's share of its time, and the pages it asks for. */
package upa.apps.profile;
