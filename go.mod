module github.com/polyarch/polyarch

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/google/go-containerregistry v0.22.1
	github.com/sethvargo/go-githubactions v1.4.0
)
