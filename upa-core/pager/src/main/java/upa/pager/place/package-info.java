/**
 * Where pages are, and how they move. {@link upa.pager.place.PlaceTable} has a word for each page,
 * {@link upa.pager.place.Tier} is a place, and {@link upa.pager.place.Migration} the only thing that moves pages,
 * always in the same five steps: claim, detach, copy, publish, release.
 */
package upa.pager.place;
