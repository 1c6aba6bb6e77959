// Package world plays the world around a release. The release workflow runs, as
// it is, on a tag of a copy of this repository; it publishes to a registry that
// needs a password and to a server that speaks GitHub's API. Then strangers use
// what was published, and nothing else: a person with an empty machine, a GitHub
// workflow, a Tekton PipelineRun, a GitLab job.
//
// Names are real. Programs believe that they speak to github.com and ghcr.io: a
// proxy (HTTPS_PROXY) leads those names to servers of the test, whose certificate
// they are told to trust. Those in testdata stand in for actions that cannot be
// fetched.
package world
