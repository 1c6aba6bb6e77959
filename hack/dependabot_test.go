package hack_test

import (
	"os"
	"path"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Modules and packages that are added later get updates too.
func TestUpdatesCoverEverything(t *testing.T) {
	b, err := os.ReadFile("../.github/dependabot.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directories []string
		}
	}
	if err := yaml.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	covered := func(ecosystem, dir string) bool {
		for _, u := range config.Updates {
			for _, pattern := range u.Directories {
				if ok, _ := path.Match(pattern, dir); ok && u.Ecosystem == ecosystem {
					return true
				}
			}
		}
		return false
	}
	ecosystems := map[string]string{"go.mod": "gomod", "package.json": "npm", "action.yml": "github-actions"}
	for _, file := range strings.Fields(run(t, "..", "git", "ls-files", ":!:**/testdata/**", ":!:samples")) {
		if e := ecosystems[path.Base(file)]; e != "" {
			if dir := path.Join("/", path.Dir(file)); !covered(e, dir) {
				t.Errorf("%s: no update of %s covers %s", file, e, dir)
			}
		}
	}
	if !covered("github-actions", "/") { // .github/workflows
		t.Error("no update covers the workflows")
	}
}
