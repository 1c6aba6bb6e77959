// Package readiness says which of the workloads of a cluster could run on a
// platform today, what keeps the others from it, and which image to build for
// it first. It reads objects and what is known of images, and asks nobody: a
// Collector takes the objects one by one, Judge compares them with the images
// and the nodes, and the Report is shown as text, Markdown or a page.
package readiness
