package process

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", lineBytes+10)
	for _, size := range []int{1, 7, 1 << 20} {
		var got []string
		l := &Lines{Each: func(s string) { got = append(got, s) }}
		in := "one\n\x1b[36;1mtwo\x1b[0m\r\nthree\rfour\x1b[K\n\n\x1b[2A\n" + long + "\nlast"
		for len(in) > 0 {
			n := min(size, len(in))
			l.Write([]byte(in[:n]))
			in = in[n:]
		}
		l.End()
		want := []string{"one", "two", "three", "four", long[:lineBytes], long[lineBytes:], "last"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d bytes at a time: %s", size, d)
		}
	}
	l := &Lines{}
	for i := range TailLines + 5 {
		fmt.Fprintln(l, i)
	}
	tail := l.Tail()
	if len(tail) != TailLines || tail[0] != "5" {
		t.Errorf("%d lines are kept, from %q", len(tail), tail[0])
	}
}

func TestCommandLine(t *testing.T) {
	for want, argv := range map[string][]string{
		`docker build --build-arg 'NPM_TOKEN=***' '--build-arg=db_password=***' --build-arg 'VERSION=1 2'`: {"docker", "build", "--build-arg", "NPM_TOKEN=abc", "--build-arg=db_password=x y", "--build-arg", "VERSION=1 2"},
		`--opt 'build-arg:API_KEY=***' 'it'\''s' ''`:                                                       {"--opt", "build-arg:API_KEY=k", "it's", ""},
		`'GITHUB_PAT=***' 'PAT=***' 'MY_PAT_2=***' PATH=/bin PATTERN=x SPATIAL=1`:                          {"GITHUB_PAT=ghp_1", "PAT=x", "MY_PAT_2=x", "PATH=/bin", "PATTERN=x", "SPATIAL=1"},
		`'SSH_KEY=***' 'NPM_AUTH=***' 'x.authToken=***' 'SIGNING_KEY_ID=***'`:                              {"SSH_KEY=k", "NPM_AUTH=a", "x.authToken=t", "SIGNING_KEY_ID=1"},
		`--cache-to 'type=s3,region=eu,access_key_id=***,secret_access_key=***,mode=max'`:                  {"--cache-to", "type=s3,region=eu,access_key_id=AKIA,secret_access_key=s3cr3t/+,mode=max"},
		`'--cache-from=type=azblob,secret_access_key=***'`:                                                 {"--cache-from=type=azblob,secret_access_key=a=="},
		`'https://***@github.com/x' 'https://me:***@proxy:3128' 'HTTP_PROXY=http://me:***@proxy'`:          {"https://ghp_1@github.com/x", "https://me:pw@proxy:3128", "HTTP_PROXY=http://me:pw@proxy"},
		`docker://ghcr.io/x@sha256:00 ghcr.io/x@sha256:00 git@github.com:x/y`:                              {"docker://ghcr.io/x@sha256:00", "ghcr.io/x@sha256:00", "git@github.com:x/y"},
		`curl -H 'Authorization: Bearer ***' --password '***' --secret 'id=npm,src=/x'`:                    {"curl", "-H", "Authorization: Bearer abc", "--password", "abc", "--secret", "id=npm,src=/x"},
	} {
		want = strings.ReplaceAll(want, "'id=npm,src=/x'", "id=npm,src=/x")
		if d := cmp.Diff(want, CommandLine(argv, nil)); d != "" {
			t.Error(d)
		}
	}
	if got := CommandLine([]string{"--opt", "build-arg:FROM_ENV=hush"}, []string{"build-arg:FROM_ENV=hush"}); got != "--opt 'build-arg:FROM_ENV=***'" {
		t.Error(got)
	}
}

func TestRedact(t *testing.T) {
	for script, want := range map[string]string{
		`cosign sign --yes "$IMAGE_REF"`:                        `cosign sign --yes "$IMAGE_REF"`,
		`scan --token abc --url https://me:pw@scan.example/x`:   `scan --token *** --url https://me:***@scan.example/x`,
		`TOKEN=abc scan --password "$PASSWORD" --level=high`:    `TOKEN=*** scan --password "$PASSWORD" --level=high`,
		`curl -H "Authorization: Bearer abc" https://x.example`: `curl -H "Authorization: Bearer ***`,
	} {
		if got := Redact(script); got != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
}
