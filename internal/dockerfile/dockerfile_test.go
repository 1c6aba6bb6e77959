package dockerfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/polyarch/polyarch/internal/platform"
)

var (
	amd64 = platform.Platform{OS: "linux", Arch: "amd64"}
	arm64 = platform.Platform{OS: "linux", Arch: "arm64"}
)

// show writes what a build for arm64 on amd64 reads: a line of each, its
// platform, R for what the result starts from and N for a platform that is
// named; then the notes.
func show(t *testing.T, text string, b Build) string {
	t.Helper()
	f, err := Parse([]byte(text))
	if err != nil {
		return "error: " + err.Error()
	}
	b.Platform, b.Builder = arm64, amd64
	bases, notes, err := f.Bases(b)
	if err != nil {
		return "error: " + err.Error()
	}
	var lines []string
	for _, b := range bases {
		s := fmt.Sprintf("%d %s %s %s", b.Line, b.By, b.Ref, b.Platform.Arch)
		if b.Result {
			s += " R"
		}
		if b.Named {
			s += " N"
		}
		lines = append(lines, s)
	}
	for _, n := range notes {
		lines = append(lines, "note: "+n)
	}
	return strings.Join(lines, "\n")
}

func TestBases(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		build Build
		want  string
	}{
		"one stage":    {text: "FROM alpine:3", want: "1 FROM alpine:3 arm64 R"},
		"scratch":      {text: "FROM scratch\nCOPY a /", want: ""},
		"two stages":   {text: "FROM --platform=$BUILDPLATFORM golang:1 AS build\nFROM alpine\nCOPY --from=build /a /", want: "1 FROM golang:1 amd64 N\n2 FROM alpine arm64 R"},
		"not needed":   {text: "FROM golang:1 AS build\nFROM node AS docs\nFROM alpine\nCOPY --from=build /a /", want: "1 FROM golang:1 arm64\n3 FROM alpine arm64 R"},
		"by number":    {text: "FROM golang:1\nFROM alpine\nCOPY --from=0 /a /", want: "1 FROM golang:1 arm64\n2 FROM alpine arm64 R"},
		"a chain":      {text: "FROM debian AS a\nFROM a AS B\nRUN x\nFROM b", want: "1 FROM debian arm64 R"},
		"a target":     {text: "FROM debian AS a\nFROM alpine AS b\nFROM node", build: Build{Target: "B"}, want: "2 FROM alpine arm64 R"},
		"no target":    {text: "FROM debian", build: Build{Target: "x"}, want: "error: it has no stage x"},
		"its own name": {text: "FROM golang AS golang\nFROM alpine\nCOPY --from=golang /a /", want: "1 FROM golang arm64\n2 FROM alpine arm64 R"},
		"copies": {
			text: "FROM alpine\nCOPY --link --from=ghcr.io/a/uv:1 /uv /bin/\nRUN --mount=type=bind,\"from=busybox\",target=/b --mount=type=cache,target=/c --network=none x",
			want: "1 FROM alpine arm64 R\n2 COPY --from ghcr.io/a/uv:1 arm64\n3 RUN --mount busybox arm64",
		},
		"a mount of a stage": {text: "FROM golang AS b\nFROM alpine\nRUN --mount=from=b,target=/b x", want: "1 FROM golang arm64\n2 FROM alpine arm64 R"},
		"a default":          {text: "ARG V=3.20\nARG I=alpine:${V}\nFROM ${I}", want: "3 FROM alpine:3.20 arm64 R"},
		"an argument":        {text: "ARG V=3.20\nARG I=alpine:${V}\nFROM $I", build: Build{Args: map[string]string{"V": "edge"}}, want: "3 FROM alpine:edge arm64 R"},
		"not declared":       {text: "FROM alpine:${V:-3}", build: Build{Args: map[string]string{"V": "edge"}}, want: "1 FROM alpine:3 arm64 R"},
		"of a stage":         {text: "FROM busybox AS a\nARG V=1\nFROM alpine:${V:-3}", want: "3 FROM alpine:3 arm64 R"},
		"empty":              {text: "ARG I\nFROM $I", want: "note: line 2: FROM $I is empty without a --build-arg"},
		"by architecture":    {text: "FROM base-$TARGETARCH$TARGETVARIANT", want: "1 FROM base-arm64 arm64 R"},
		"a stage by it":      {text: "FROM a AS s-amd64\nFROM b AS s-arm64\nFROM s-$TARGETARCH", want: "2 FROM b arm64 R"},
		"overridden":         {text: "FROM base-$TARGETARCH", build: Build{Args: map[string]string{"TARGETARCH": "x"}}, want: "1 FROM base-x arm64 R"},
		"a pattern":          {text: "ARG V=v1.2\nFROM app:${V#v}", want: "2 FROM app:1.2 arm64 R"},
		"a platform":         {text: "FROM --platform=linux/s390x alpine", want: "1 FROM alpine s390x R N"},
		"its own platform":   {text: "FROM --platform=$TARGETPLATFORM alpine", want: "1 FROM alpine arm64 R"},
		"a wrong platform":   {text: "FROM --platform=$X alpine", want: "note: line 1: parsing a platform: it is empty; write os/arch, for example linux/arm64"},
		"a variable copied":  {text: "FROM alpine\nCOPY --from=$X / /", want: "1 FROM alpine arm64 R\nnote: line 2: COPY --from=$X has a variable"},
		"escape":             {text: "# escape=`\nFROM `\n  alpine", want: "2 FROM alpine arm64 R"},
		"syntax":             {text: "# syntax=docker/dockerfile:1\n\nfrom alpine", want: "3 FROM alpine arm64 R"},
		"a heredoc":          {text: "FROM alpine\nRUN <<E\nFROM node\nE\nCOPY <<F /f\nFROM x\nF", want: "1 FROM alpine arm64 R"},
		"continued":          {text: "FROM alpine\nRUN a && \\\n# FROM b\nFROM=c d", want: "1 FROM alpine arm64 R"},
		"onbuild":            {text: "FROM alpine\nONBUILD COPY --from=node / /", want: "1 FROM alpine arm64 R"},
		"another's flags":    {text: "FROM alpine\nRUN --mount=type=bind,from=busybox,z,U x\nCOPY --retry=3 --from=node a b\nUNKNOWN x", want: "1 FROM alpine arm64 R\n2 RUN --mount busybox arm64\n3 COPY --from node arm64"},
		"a flag of a word":   {text: "FROM alpine\nCOPY a --from=node", want: "1 FROM alpine arm64 R"},
		"copies itself":      {text: "FROM alpine AS a\nCOPY --from=a / /\nCOPY --from=b / /\nFROM debian AS b\nCOPY --from=a / /", want: "1 FROM alpine arm64\n4 FROM debian arm64 R"},
		"no FROM":            {text: "ARG A", want: "error: it has no FROM"},
		"three words":        {text: "FROM a b", want: "error: line 1: FROM takes an image, or an image, AS and a name"},
		"no end of doubling": {text: "ARG A=aaaaaaaaaaaaaaaa\n" + strings.Repeat("ARG A=$A$A\n", 60) + "FROM $A", want: "62 FROM " + strings.Repeat("a", 4096) + " arm64 R"},
		"a long word":        {text: "FROM " + strings.Repeat("$A", 3000), want: "note: line 1: a word has more than 4096 bytes"},
		"a long file":        {text: strings.Repeat("#", MaxSize+1), want: "error: it has more than 1024 KiB"},
	} {
		if got := show(t, c.text, c.build); got != c.want {
			t.Errorf("%s:\n%.300s\nwant\n%.300s", name, got, c.want)
		}
	}
}

// What is read is bounded and stands on a line of the file, and a stage of
// the file is never taken for an image.
func FuzzBases(f *testing.F) {
	for _, s := range []string{
		"FROM a", "ARG A=b\nFROM $A AS c\nFROM c\nCOPY --from=d / /\nRUN --mount=from=e,target=/ x", "# escape=`\nFROM `\na",
		"FROM --platform=$BUILDPLATFORM a", "FROM a\nRUN <<E\nFROM b\nE", "ARG A=${B:-${C#x}}\nFROM ${A%y*}", "FROM a\nCOPY --from=0 a b\n",
	} {
		f.Add(s, "c", "A", "v")
	}
	f.Fuzz(func(t *testing.T, text, target, name, value string) {
		file, err := Parse([]byte(text))
		if err != nil {
			return
		}
		bases, _, err := file.Bases(Build{Platform: arm64, Builder: amd64, Target: target, Args: map[string]string{name: value}})
		if err != nil {
			return
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, b := range bases {
			if b.Ref == "" || b.Ref == "scratch" || b.Line < 1 || b.Line > lines || b.Platform == (platform.Platform{}) {
				t.Errorf("%+v of %q", b, text)
			}
			for _, s := range file.stages {
				if b.By != "FROM" && s.name != "" && s.name == strings.ToLower(b.Ref) {
					t.Errorf("the stage %s is an image", b.Ref)
				}
			}
		}
	})
}
