package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const token = "gho_of-the-job"

// A github is what of github.com and its API a release needs
// (docs.github.com/rest/releases). Reading is free, writing needs the token.
type github struct {
	mu       sync.Mutex
	releases []*release
	broken   bool // it takes two files of a release, and no more
	writes   int
	log      []string
}

type release struct {
	ID         int      `json:"id"`
	Tag        string   `json:"tag_name"`
	Name       string   `json:"name"`
	Body       string   `json:"body"`
	Draft      bool     `json:"draft"`
	Prerelease bool     `json:"prerelease"`
	Latest     string   `json:"make_latest,omitempty"`
	URL        string   `json:"url"`
	HTML       string   `json:"html_url"`
	Upload     string   `json:"upload_url"`
	Assets     []*asset `json:"assets"`
}

type asset struct {
	ID      int    `json:"id"`
	Name    string `json:"name"`
	State   string `json:"state"`
	URL     string `json:"url"`
	content []byte
}

const api = "https://api.github.com/repos/polyarch/polyarch/releases"

func (g *github) find(match func(*release) bool) *release {
	if i := slices.IndexFunc(g.releases, match); i >= 0 {
		return g.releases[i]
	}
	return nil
}

func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// before the lock: uploads share a connection, and one that is not read would
	// keep the others' bytes from coming
	body, err := io.ReadAll(r.Body)
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.log = append(g.log, r.Method+" "+r.Host+r.URL.String())
	if r.Host == "github.com" {
		g.download(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.URL.Path != "/graphql" {
		g.writes++
	}
	if !strings.HasSuffix(r.Header.Get("Authorization"), " "+token) {
		answer(w, http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/repos/polyarch/polyarch/releases")
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case r.URL.Path == "/graphql":
		g.graphql(w, r)
	case !ok:
		answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
	case path == "" && r.Method == http.MethodPost:
		g.create(w, r)
	case path == "" && r.Method == http.MethodGet:
		answer(w, http.StatusOK, g.releases)
	case parts[0] == "tags": // a draft has no tag yet
		g.show(w, g.find(func(x *release) bool { return x.Tag == parts[1] && !x.Draft }))
	case parts[0] == "assets" && r.Method == http.MethodDelete:
		for _, x := range g.releases {
			x.Assets = slices.DeleteFunc(x.Assets, func(a *asset) bool { return strconv.Itoa(a.ID) == parts[1] })
		}
		w.WriteHeader(http.StatusNoContent)
	case len(parts) == 2 && parts[1] == "assets" && r.Method == http.MethodPost:
		g.upload(w, r, g.byID(parts[0]))
	case len(parts) == 1 && r.Method == http.MethodPatch:
		g.edit(w, r, g.byID(parts[0]))
	case len(parts) == 1:
		g.show(w, g.byID(parts[0]))
	default:
		answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
	}
}

func (g *github) byID(id string) *release {
	return g.find(func(x *release) bool { return strconv.Itoa(x.ID) == id })
}

func (g *github) show(w http.ResponseWriter, x *release) {
	if x == nil {
		answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
		return
	}
	answer(w, http.StatusOK, x)
}

// graphql answers what gh asks: whether a tag is there, and which draft has it.
func (g *github) graphql(w http.ResponseWriter, r *http.Request) {
	var query struct {
		Query     string
		Variables map[string]any
	}
	json.NewDecoder(r.Body).Decode(&query)
	repository := map[string]any{}
	if strings.Contains(query.Query, "ref(") {
		repository["ref"] = map[string]any{"id": "1"}
	}
	if strings.Contains(query.Query, "release(") {
		repository["release"] = nil
		tag := fmt.Sprint(query.Variables["tagName"])
		if x := g.find(func(x *release) bool { return x.Tag == tag }); x != nil {
			repository["release"] = map[string]any{"databaseId": x.ID, "isDraft": x.Draft}
		}
	}
	g.log = append(g.log, "  "+query.Query)
	answer(w, http.StatusOK, map[string]any{"data": map[string]any{"repository": repository}})
}

func (g *github) create(w http.ResponseWriter, r *http.Request) {
	x := &release{ID: len(g.releases) + 1, Assets: []*asset{}}
	if err := json.NewDecoder(r.Body).Decode(x); err != nil || g.find(func(y *release) bool { return y.Tag == x.Tag }) != nil {
		answer(w, http.StatusUnprocessableEntity, map[string]string{"message": "Validation Failed"})
		return
	}
	x.URL = api + "/" + strconv.Itoa(x.ID)
	x.HTML = "https://github.com/polyarch/polyarch/releases/tag/" + x.Tag
	x.Upload = strings.Replace(x.URL, "api.", "uploads.", 1) + "/assets{?name,label}"
	g.releases = append(g.releases, x)
	answer(w, http.StatusCreated, x)
}

func (g *github) edit(w http.ResponseWriter, r *http.Request, x *release) {
	if x == nil {
		g.show(w, nil)
		return
	}
	id, assets := x.ID, x.Assets
	if err := json.NewDecoder(r.Body).Decode(x); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	x.ID, x.Assets = id, assets
	g.show(w, x)
}

func (g *github) upload(w http.ResponseWriter, r *http.Request, x *release) {
	if g.broken && x != nil && len(x.Assets) == 2 {
		answer(w, http.StatusBadGateway, map[string]string{"message": "Server Error"})
		return
	}
	name := r.URL.Query().Get("name")
	content, err := io.ReadAll(r.Body)
	if x == nil || err != nil || slices.ContainsFunc(x.Assets, func(a *asset) bool { return a.Name == name }) {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed", "errors": []map[string]string{{"code": "already_exists"}}})
		return
	}
	a := &asset{ID: 1000*x.ID + len(x.Assets), Name: name, State: "uploaded", content: content}
	a.URL = api + "/assets/" + strconv.Itoa(a.ID)
	x.Assets = append(x.Assets, a)
	answer(w, http.StatusCreated, a)
}

// download serves the files of published releases, as github.com does.
func (g *github) download(w http.ResponseWriter, r *http.Request) {
	path, _ := strings.CutPrefix(r.URL.Path, "/polyarch/polyarch/releases/")
	if name, ok := strings.CutPrefix(path, "latest/download/"); ok {
		if x := g.find(func(x *release) bool { return !x.Draft && x.Latest == "true" }); x != nil {
			http.Redirect(w, r, "https://github.com/polyarch/polyarch/releases/download/"+x.Tag+"/"+name, http.StatusFound)
			return
		}
	}
	path, _ = strings.CutPrefix(path, "download/")
	tag, name, _ := strings.Cut(path, "/")
	if x := g.find(func(x *release) bool { return !x.Draft && x.Tag == tag }); x != nil {
		for _, a := range x.Assets {
			if a.Name == name {
				w.Write(a.content)
				return
			}
		}
	}
	http.NotFound(w, r)
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v)
}
