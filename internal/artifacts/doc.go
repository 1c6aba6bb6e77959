// Package artifacts reads and writes the file that says what was built. The
// format is that of Skaffold's --build-artifacts, as polyarch extends it:
//
//	{"builds":[{"imageName":"hello","tag":"repo/hello:v1@sha256:…","platforms":["linux/amd64","linux/arm64"]}]}
package artifacts
