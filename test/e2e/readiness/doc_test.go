// Package readiness_test asks inject-affinity --readiness about a real cluster of two architectures,
// and proves each of its verdicts by trying; and looks at its page in a real browser.
package readiness_test
