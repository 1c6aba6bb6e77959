// Package imagetest makes images and registries for tests. No binary links it.
package imagetest
