package builder

import (
	"os"
	"path/filepath"
	"strconv"
)

// LayoutVariable names, in the environment of a custom command, a folder in
// which it may leave the image.
const LayoutVariable = "OCI_LAYOUT"

// custom runs the user's own command, in the context folder and with the
// environment that Skaffold sets for its custom builders
// (skaffold.dev/docs/builders/builder-types/custom). The command pushes $IMAGE,
// or leaves the image as an OCI layout in $OCI_LAYOUT.
func custom() Builder {
	return Builder{
		Name:    "custom",
		Options: []Option{Secret},

		secretsByName: true,
		Instead:       map[Option]string{BuildArg: "write it into the command after --", Dockerfile: "write it into the command after --", Target: "write it into the command after --", Label: "write it into the command after --"},
		signs: []sign{{asked, "", func(r Request) string {
			if r.Command == nil {
				return ""
			}
			return "there is a command after --"
		}}},
		plan: func(r Request, leg Leg) (Build, error) {
			layout := leg.layout()
			return Build{
				Folders: []string{layout},
				Steps: []Step{{
					Argv: append(append([]string{}, r.Command...), r.Args...),
					Dir:  r.Context,
					Env: []string{
						"IMAGE=" + leg.Ref,
						"PUSH_IMAGE=" + strconv.FormatBool(!r.Layout),
						"BUILD_CONTEXT=" + r.Context,
						"PLATFORMS=" + leg.Platforms.String(),
						"PLATFORM=" + leg.Platforms.String(),
						"SKIP_TEST=false",
						"IMAGE_REPO=" + r.Image,
						"IMAGE_TAG=" + leg.tag(),
						LayoutVariable + "=" + layout,
					},
				}},
				Collect: func([]string) (Pushed, error) {
					if _, err := os.Stat(filepath.Join(layout, "index.json")); err != nil {
						return Pushed{}, nil
					}
					return Pushed{Layout: layout}, nil
				},
			}, nil
		},
	}
}
