// Package published checks whether what stands under a name, in a registry or in
// a layout, can be pulled whole: every image of an index, its config and its
// layers, programs for its platform, and evidence (attestations, signatures,
// SBOMs) that is about images which are there.
//
// Whoever published it decides all of it, so what is read has budgets: those of
// package image for each name, and of a run here.
package published
