// Package ci runs the GitHub actions, the reusable workflow and the GitLab components by the clients
// that run them on one machine: act, gitlab-ci-local, GitHub's language service. They ask a real API
// server and push to Debian's registry.
package ci
