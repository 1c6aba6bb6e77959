package readiness_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/polyarch/polyarch/test/e2e/tool"
)

// page writes the report on some workloads, with a stranger's names among them.
func page(t *testing.T) string {
	t.Helper()
	var in strings.Builder
	for n := range 40 {
		image := []string{"web", "web", "old", "proxy"}[n%4]
		fmt.Fprintf(&in, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app-%02d, namespace: %s}\nspec: {replicas: %d, selector: {a: b}, template: {spec: {containers: [{name: c, image: %s, resources: {requests: {cpu: %dm}}}]}}}\n",
			n, []string{"shop", "data"}[n%2], n%5, image, 100*(n+1))
	}
	in.WriteString("---\napiVersion: v1\nkind: Pod\nmetadata: {name: \"<img src=x onerror=alert(1)>\", namespace: \"</script><script>alert(2)</script>\"}\nspec: {containers: [{name: c, image: \"javascript:alert(3)\"}]}\n")
	path := filepath.Join(t.TempDir(), "page.html")
	cmd := exec.Command(tool.Ours(t, "inject-affinity"), "--readiness", "linux/arm64,linux/s390x", "--offline", "--quiet", "--html", path,
		"--image", "web=;linux/amd64,linux/arm64", "--image", "old=;linux/amd64", "--image", "proxy=;linux/amd64")
	cmd.Stdin = strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// browser starts Chromium with a tab.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v; hack/install-e2e.sh installs it", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1240, 1400),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(3*time.Minute))
	allocated, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestThePageInChromium(t *testing.T) {
	path := page(t)
	ctx := browser(t)
	var complaints, requests []string
	var mu sync.Mutex
	err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			complaints = append(complaints, fmt.Sprint("console.", e.Type))
		case *network.EventRequestWillBeSent:
			requests = append(requests, e.Request.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	must := func(what string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	ask := func(js string) string {
		t.Helper()
		s, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+js+")"))
		if err != nil {
			t.Fatalf("%s: %v", js, err)
		}
		return s
	}
	check := func(what, js, want string) {
		t.Helper()
		if got := ask(js); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	address := (&url.URL{Scheme: "file", Path: path}).String()
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	table := chromedp.CSS("#p0-table")
	must("opening the page", chromedp.Navigate(address), chromedp.WaitVisible(table))

	const rows = `[...document.querySelectorAll("#p0-table tbody tr:not([hidden])")]`
	check("all workloads", rows+".length", "41")
	check("its language and title", `document.documentElement.lang + " " + document.title`, "en Readiness for linux/arm64, linux/s390x")
	check("nothing of a stranger is markup", `document.images.length + " " + document.scripts.length + " " + document.querySelectorAll("a[href^=javascript]").length`, "0 1 0")

	// Filters, and what a screen reader is told of them.
	set := func(name, value string) string {
		return fmt.Sprintf(`(() => { const e = document.querySelector("form.filters").elements[%q]; e.value = %q; e.dispatchEvent(new Event("input", {bubbles: true})); return e.value })()`, name, value)
	}
	const told = `document.querySelector("form.filters output").textContent`
	ask(set("verdict", "blocked"))
	check("blocked alone", rows+".length + ': ' + "+told, "20: 20 of 41 workloads")
	ask(set("namespace", "ns:shop"))
	check("of one namespace", rows+".length + ': ' + "+told, "10: 10 of 41 workloads")
	check("each is both", rows+`.every(r => r.dataset.verdict === "blocked" && r.cells[0].textContent === "shop")`, "true")
	ask(set("verdict", ""))
	ask(set("namespace", ""))
	must("typing", chromedp.SendKeys(chromedp.CSS(`form.filters input[type=search]`), "app-3"))
	check("search", rows+".length", "10")
	ask(set("text", ""))
	check("all again", rows+".length", "41")
	check("the count is announced", `document.querySelector("form.filters output").getAttribute("aria-live")`, "polite")

	// Sorting, by mouse and by keyboard.
	const cores = `#p0-table thead th:nth-child(6)`
	must("a click on a heading", chromedp.Click(chromedp.CSS(cores+" button")))
	check("the most cores first", rows+".map(r => +r.cells[5].dataset.sort).every((v, n, all) => !n || all[n-1] >= v)", "true")
	check("and it says so", fmt.Sprintf(`document.querySelector(%q).getAttribute("aria-sort")`, cores), "descending")
	must("return on it", chromedp.Focus(chromedp.CSS(cores+" button")), chromedp.KeyEvent(kb.Enter))
	check("the fewest cores first", rows+".map(r => +r.cells[5].dataset.sort).every((v, n, all) => !n || all[n-1] <= v)", "true")
	check("and it says that", fmt.Sprintf(`document.querySelector(%q).getAttribute("aria-sort")`, cores), "ascending")
	must("another one", chromedp.Click(chromedp.CSS("#p0-table thead th:nth-child(2) button")))
	check("by name", rows+`.map(r => r.cells[1].textContent).every((v, n, all) => !n || all[n-1].localeCompare(v) <= 0)`, "true")
	check("one column is sorted", `document.querySelectorAll("#p0-table [aria-sort]").length`, "1")

	// With Tab alone one comes from the top to the filters and the headings.
	ask(`(document.activeElement.blur(), window.scrollTo(0, 0), 0)`)
	must("reloading", chromedp.Reload(), chromedp.WaitVisible(table))
	reached := map[string]bool{}
	for range 20 {
		must("Tab", chromedp.KeyEvent(kb.Tab))
		reached[ask(`(document.activeElement.name || document.activeElement.className || document.activeElement.textContent).trim()`)] = true
	}
	for _, want := range []string{"skip", "linux/s390x", "namespace", "verdict", "text", "Workload", "GiB"} {
		if !reached[want] {
			t.Errorf("Tab does not come to %q: %v", want, reached)
		}
	}

	// What has no text has a label, and every label of a form belongs to a field.
	check("bars have labels", `[...document.querySelectorAll("[role=img]")].every(e => e.getAttribute("aria-label"))`, "true")
	check("fields have labels", `[...document.querySelectorAll("select, input")].every(e => e.labels.length === 1)`, "true")
	check("regions have names", `[...document.querySelectorAll("[aria-labelledby]")].every(e => document.getElementById(e.getAttribute("aria-labelledby")))`, "true")
	check("headings of columns have a scope", `[...document.querySelectorAll("th")].every(e => e.scope)`, "true")

	// Light and dark: what is written can be read in both.
	for _, scheme := range []string{"light", "dark"} {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		if low := ask(contrast); low != "" {
			t.Errorf("%s: too little contrast: %s", scheme, low)
		}
		dark := ask(`getComputedStyle(document.body).backgroundColor`)
		if bright := strings.HasPrefix(dark, "rgb(2"); bright != (scheme == "light") {
			t.Errorf("%s: the page is %s", scheme, dark)
		}
		shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if dir := os.Getenv("POLYARCH_PICTURES"); dir != "" { // to look at
			if err := os.WriteFile(filepath.Join(dir, scheme+".png"), shot, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}

	// A telephone: the page itself does not scroll to the side.
	must("a narrow window", chromedp.EmulateViewport(390, 844))
	check("it fits", "document.documentElement.scrollWidth <= window.innerWidth", "true")

	mu.Lock()
	defer mu.Unlock()
	for _, r := range requests {
		if r != address {
			t.Errorf("it asks for %s", r)
		}
	}
	if len(complaints) > 0 {
		t.Errorf("%q", complaints)
	}
}

// contrast returns the texts whose contrast is below 4.5 (WCAG 2.2, 1.4.3).
const contrast = `(() => {
  const parse = c => (c.match(/[\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const back = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c.slice(0, 3) } return [255, 255, 255] };
  const low = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.offsetParent || ["SCRIPT", "STYLE", "OPTION"].includes(e.tagName)) continue;
    const a = light(parse(getComputedStyle(e).color).slice(0, 3)), b = light(back(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.add(e.tagName + "." + e.className + " " + ratio.toFixed(2));
  }
  return [...low].join(", ");
})()`
