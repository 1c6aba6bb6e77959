package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestDraw(t *testing.T) {
	long := "stitch-index: error: " + strings.Repeat("a word ", 30)
	lines := []line{{"$ detect-arch <&>", time.Second}, {strings.Repeat("ü", 200), time.Second}, {"", 0}}
	for _, w := range wrapped(long) {
		if len(w) > columns {
			t.Errorf("a line of %d", len(w))
		}
		lines = append(lines, line{w, 0})
	}
	svg := string(draw(lines))
	for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for want, n := range map[string]int{`class="typed" x`: 1, "detect-arch &lt;&amp;&gt;": 1, "…": 1, `class="wrong" x`: len(wrapped(long)), "animation-delay:2.0s": 1 + len(wrapped(long)), "\x1b": 0} {
		if got := strings.Count(svg, want); got != n {
			t.Errorf("%q stands there %d times, want %d", want, got, n)
		}
	}
}
