package builders

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// busybox is what Dockerfiles of these tests begin with.
const busybox = registry + "/base/busybox:1"

// dockerfiles are the builds of each kind. In Secret a stage has a secret mounted.
var dockerfiles = map[string]string{
	"Dockerfile": "FROM " + busybox + ` AS build
ARG TARGETARCH
COPY hello-${TARGETARCH} /hello
RUN /hello && /bin/busybox head -c 16 /dev/urandom >/random
` + final,
	"Secret": "FROM " + busybox + ` AS build
ARG TARGETARCH
COPY hello-${TARGETARCH} /hello
RUN --mount=type=secret,id=token /hello && test "$(/bin/busybox wc -c </run/secrets/token)" = 27 && /bin/busybox head -c 16 /dev/urandom >/random
` + final,
	"Broken":  "FROM " + busybox + "\nRUN echo it does not compile && exit 42\n",
	"Wrong":   "FROM scratch\nCOPY hello-amd64 /hello\nENTRYPOINT [\"/hello\"]\n",
	"Endless": "FROM " + busybox + "\nRUN [\"/bin/busybox\", \"sleep\", \"4242\"]\n",
}

const final = `FROM ` + busybox + `
COPY --from=build /hello /random /
RUN /hello && uname -m >/machine
ENTRYPOINT ["/hello"]
`

// compiled is a folder with those Dockerfiles and samples/hello for each architecture.
var compiled = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(lab, "context")
	for _, arch := range []string{"amd64", "arm64"} {
		cmd := exec.Command("go", "build", "-C", filepath.Join(root(), "samples/hello"), "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "hello-"+arch), ".")
		cmd.Env = environ("CGO_ENABLED=0", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			return string(out), err
		}
	}
	return dir, nil
})

// dockerfile is the project of builders that read a Dockerfile: the folder, and a file for each kind. file returns the
// words that name it.
func dockerfile(secret bool, file func(name string) project) func(*testing.T, kind) project {
	return func(t *testing.T, k kind) project {
		t.Helper()
		dir, err := compiled()
		if err != nil {
			t.Fatalf("%v\n%s", err, dir)
		}
		for name, text := range dockerfiles {
			write(t, filepath.Join(dir, name), text)
		}
		name := map[kind]string{good: "Dockerfile", broken: "Broken", wrong: "Wrong", endless: "Endless"}[k]
		if k == good && secret {
			name = "Secret"
		}
		p := file(name)
		p.context, p.waits = dir, sleeps
		return p
	}
}

// flagged names it with --dockerfile.
func flagged(name string) project {
	return project{args: []string{"--dockerfile", lab + "/context/" + name}}
}
